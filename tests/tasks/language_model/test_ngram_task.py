"""N-gram models through the task: fitted before the first step, trained by no gradient, saved, and never exported."""

from __future__ import annotations

import json
import math

import pytest
import torch

from dlcli.core.errors import UsageError
from dlcli.core.train_config import TrainConfig
from dlcli.engine.compute.device import Device
from dlcli.engine.compute.trial import time_step
from dlcli.engine.evaluate import evaluate
from dlcli.engine.loop import start_state, train
from dlcli.tasks.language_model.config import LanguageModelConfig, LanguageModelInference
from dlcli.tasks.language_model.task import LanguageModelTask

CPU = Device(torch.device("cpu"))


def test_the_loop_measures_what_was_counted_and_changes_nothing(make_task):
    task = make_task(model="ngram")
    before = {name: value.clone() for name, value in task.model.state_dict().items()}
    loader, config = task.loader("train", training=True), TrainConfig(batch_size=16, epochs=2, precision="fp32")
    state = start_state(task, loader, config, CPU)
    assert state.optimizers == {}
    assert train(state, loader, task.loader("valid"), config, ()) is None
    assert (state.epoch, state.step) == (2, 2 * len(loader))
    assert state.learning_rate == 0
    assert state.record["loss"] == pytest.approx(evaluate(task, task.loader("train"), CPU).compute()["loss"], rel=1e-4)
    assert all(torch.equal(value, before[name]) for name, value in task.model.state_dict().items())
    assert time_step(task, CPU, next(iter(loader.batches()))) > 0


def test_the_assets_and_the_weights_are_the_whole_model(make_task):
    task = make_task(model="ngram", order=2)
    again = LanguageModelTask.from_assets(
        LanguageModelConfig(model="ngram", order=2), TrainConfig(), json.loads(json.dumps(task.assets())), None
    )
    again.model.load_state_dict(task.model.state_dict())
    options = LanguageModelInference(next=3, generate=5, draw_seed=1)
    batch = next(iter(task.loader("test").batches()))
    answers = []
    for each in (task, again):
        each.model.eval()
        each.set_inference(options)
        answers.append(each.infer(batch))
    assert all(torch.equal(answers[0][name], answers[1][name]) for name in answers[0])


def test_counts_see_the_training_part_alone(make_task, form):
    task = make_task(model="ngram", order=1, smoothing="add-k", add_k=1.0)
    ids = form.ids("train")
    total = len(ids) + len(form.labels("train"))
    log_probs, _ = task.model.step(torch.tensor([0]), task.model.start(torch.zeros(1, 1)))
    for token in range(len(task.vocabulary)):
        count = int((ids == token).sum()) if token else len(form.labels("train"))
        assert math.exp(log_probs[0, token]) == pytest.approx((count + 1) / (total + len(task.vocabulary)), rel=1e-5)


def test_it_is_no_graph(make_task):
    with pytest.raises(UsageError, match="a table of counts and no graph"):
        make_task(model="ngram").export_plan()


def test_baselines_are_the_figures_of_such_models(make_task):
    found = make_task(model="lstm").baseline("test")
    task = make_task(model="ngram", order=3)
    own = evaluate(task, task.loader("test"), CPU).compute()
    assert found["3-gram, Kneser-Ney"] == pytest.approx(own, rel=1e-5)
    assert found["unigram"]["perplexity"] > 2 * own["perplexity"]


SENTENCES = ("今天小明去超市买了一盒牛奶", "今天去一盒小明买了超市牛奶")


@pytest.mark.slow
@pytest.mark.parametrize("model", ["ngram", "lstm", "transformer"])
def test_a_sentence_is_more_probable_than_its_words_in_disorder(tmp_path, make_task, model):
    from tasks.language_model.conftest import write_prepared

    days, people = ("今天", "昨天", "早上"), ("小明", "小红", "老师")
    places, things = ("超市", "商店", "市场"), ("一盒牛奶", "一瓶水", "两个苹果", "一本书")
    lines = [
        f"{day}{who}去{place}买了{thing}" for day in days for who in people for place in places for thing in things
    ]
    held_out = SENTENCES[0]
    lines = [line for line in lines if line != held_out]
    assert len(lines) == 107
    data = write_prepared(tmp_path / "chinese", lines, tokenizer="jieba", valid_fraction=0.05, test_fraction=0.05)
    task = make_task(data=data, model=model)
    if model != "ngram":
        optimizer = torch.optim.Adam(task.model.parameters(), lr=0.01)
        for epoch in range(15):
            for batch in task.loader("train", training=True).batches(epoch):
                [update] = task.training_step(batch)
                update.losses["cross_entropy"].backward()
                optimizer.step()
                optimizer.zero_grad()
    task.model.eval()
    from dlcli.data.codec import Source
    from dlcli.data.text.inputs import Text
    from dlcli.tasks.language_model.codec import LanguageCodec

    codec = LanguageCodec(task.assets())
    items = [codec.encode(Source(text, Text(text))) for text in SENTENCES]
    answers = []
    for item in items:
        batch = {name: torch.from_numpy(value)[None] for name, value in item.arrays.items()}
        outputs = {name: value.numpy() for name, value in task.infer(batch).items()}
        answers += codec.decode(outputs, [item])
    first, second = (answer.record["log_prob"] for answer in answers)
    assert first > second + math.log(100)
