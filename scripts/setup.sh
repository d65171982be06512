#!/bin/sh
# Create .venv and install one lock file into it. Nothing happens if that very lock is installed already.
# usage: scripts/setup.sh requirements.lock|requirements-dev.lock
set -eu
cd "$(dirname "$0")/.."
lock=$1
venv=.venv
stamp=$venv/.installed-$lock

fail() {
    printf '%s\n' "$@" >&2
    exit 1
}

if [ -x $venv/bin/python ] && cmp -s "$lock" "$stamp" && $venv/bin/python -c '' 2>/dev/null; then
    exit 0
fi
# the development lock contains everything of the other one
if [ "$lock" = requirements.lock ] && [ -x $venv/bin/python ] \
    && cmp -s requirements-dev.lock $venv/.installed-requirements-dev.lock \
    && cmp -s requirements.lock $venv/.contains-requirements.lock && $venv/bin/python -c '' 2>/dev/null; then
    exit 0
fi

if ! { [ -x $venv/bin/python ] && $venv/bin/python -c "import pip, sys; sys.exit(sys.version_info < (3, 11))" 2>/dev/null; }; then
    found=
    for python in ${PYTHON:-} python3.11 python3.12 python3.13 python3 python3.14; do
        command -v "$python" >/dev/null 2>&1 || continue
        "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue
        found=$python
        break
    done
    [ -n "$found" ] || fail \
        "没有找到 Python 3.11 或更高版本。请先安装(Debian/Ubuntu: apt install python3 python3-venv),或用 PYTHON=/路径/python3 make setup 指定。" \
        "No Python 3.11 or newer was found. Install one (Debian/Ubuntu: apt install python3 python3-venv) or name it: PYTHON=/path/python3 make setup."
    "$found" -c 'import venv, ensurepip' 2>/dev/null || fail \
        "$found 缺少 venv 模块。请安装(Debian/Ubuntu: apt install python3-venv)。" \
        "$found lacks the venv module. Install it (Debian/Ubuntu: apt install python3-venv)."
    echo "建立 .venv ($("$found" --version)) · creating .venv"
    "$found" -m venv --clear $venv || fail \
        "无法建立 .venv。" "Could not create .venv."
fi

echo "安装 $lock · installing $lock"
rm -f "$stamp"
PIP_DISABLE_PIP_VERSION_CHECK=1 $venv/bin/python -m pip install --quiet --no-input --require-hashes -r "$lock" || fail \
    "安装失败:请检查网络和 pip 的软件源设置。" \
    "The installation failed: check the network and pip's index settings."
cp "$lock" "$stamp"
[ "$lock" = requirements.lock ] || cp requirements.lock $venv/.contains-requirements.lock
