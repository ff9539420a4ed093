# dl on a CPU: the wheels of torch without CUDA, an ordinary user, and no network at run time.
#   docker build -t dl .                                   # with extras: --build-arg EXTRAS='[excel,chinese]'
#   docker run --rm --network none -v "$PWD:/work" --user "$(id -u):$(id -g)" dl train digits
FROM python:3.11-slim AS build
RUN python -m venv /opt/dl
ENV PATH=/opt/dl/bin:$PATH
RUN pip install --no-cache-dir 'torch>=2.11' 'torchvision>=0.26' --index-url=https://download.pytorch.org/whl/cpu
WORKDIR /source
COPY pyproject.toml README.md LICENSE ./
COPY dlcli ./dlcli
ARG EXTRAS=""
# What is installed is this folder, which has no version to pin.
# hadolint ignore=DL3013
RUN pip install --no-cache-dir ".${EXTRAS}"

FROM python:3.11-slim
COPY --from=build /opt/dl /opt/dl
RUN useradd --uid 1000 --create-home dl && mkdir /work && chown dl:dl /work
USER 1000
# With --user the home folder belongs to another: what libraries keep for themselves goes to /tmp.
ENV PATH=/opt/dl/bin:$PATH HOME=/tmp PYTHONUNBUFFERED=1
WORKDIR /work
ENTRYPOINT ["dl"]
CMD ["--help"]
