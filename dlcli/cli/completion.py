"""`dl completion bash|zsh|fish`: the script with which a shell completes the words of a line.

The scripts only ask `dl --complete WORD...` and hand on what it answers (`completing.py`), so what is completed is what
the installed version knows.
"""

from __future__ import annotations

from typing import Any

from dlcli.cli.options import Argument, Values, make_command
from dlcli.core.errors import UsageError, did_you_mean

BASH = """\
# bash completion for dl: add `source <(dl completion bash)` to ~/.bashrc
_dl_complete() {
    local IFS=$'\\n' current="${COMP_WORDS[COMP_CWORD]}" line
    local -a lines=($("$1" --complete "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
    COMPREPLY=()
    for line in "${lines[@]:1}"; do
        line="${line%%$'\\t'*}"
        # Bash replaces only what follows the last = or :, at which it cuts words.
        [[ "$COMP_WORDBREAKS" == *=* ]] && line="${line#--*=}"
        # Where names of files are completed, bash itself puts words in quotes.
        [[ "${lines[0]}" == files ]] || line="$(printf '%q' "$line")"
        COMPREPLY+=("$line")
    done
    if [[ "${lines[0]}" == files ]]; then
        [[ "$current" == "=" ]] && current=""
        compopt -o filenames 2>/dev/null
        COMPREPLY+=($(compgen -f -- "$current"))
    fi
}
complete -F _dl_complete dl
"""

ZSH = """\
#compdef dl
# zsh completion for dl: add `source <(dl completion zsh)` to ~/.zshrc, below compinit
_dl() {
    local line
    local -a lines described
    lines=("${(@f)$(dl --complete "${(@)words[2,CURRENT]}" 2>/dev/null)}")
    for line in "${(@)lines[2,-1]}"; do
        described+=("${${line%%$'\\t'*}//:/\\\\:}:${line#*$'\\t'}")
    done
    (( ${#described} )) && _describe -V 'dl' described
    [[ "${lines[1]}" == files ]] && _files
    return 0
}
compdef _dl dl
"""

FISH = """\
# fish completion for dl: dl completion fish > ~/.config/fish/completions/dl.fish
function __dl_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    set -l lines (dl --complete $words[2..-1] "$current" 2>/dev/null)
    printf '%s\\n' $lines[2..-1]
    if test "$lines[1]" = files
        __fish_complete_path "$current"
    end
end
complete -c dl -f -a '(__dl_complete)'
"""

SCRIPTS = {"bash": BASH, "zsh": ZSH, "fish": FISH}


def build(rest: list[str]) -> Any:
    """Return the command."""
    del rest
    return make_command(
        "completion",
        "Print a script with which a shell completes commands, targets, runs, options and their values.",
        _completion,
        arguments=[Argument("shell", "bash, zsh or fish")],
        epilog="bash: source <(dl completion bash). zsh: the same below compinit. fish: save it as "
        "~/.config/fish/completions/dl.fish.",
    )


def _completion(values: Values) -> None:
    shell = values.arguments["shell"]
    if shell not in SCRIPTS:
        raise UsageError(f"no script for the shell {shell!r}", hint=did_you_mean(shell, SCRIPTS))
    console = values.console()
    if console.is_json:
        console.answer_json("completion", {"shell": shell, "script": SCRIPTS[shell]})
    else:
        console.answer(SCRIPTS[shell].rstrip("\n"))
