#!/bin/sh
# Measures a model by the product's own ears and writes the table into the model's card:
#   models/eval/run.sh --human DIR [--count N] [--model FILE] [--attendant PROGRAM] [--cache DIR] [--no-card]
# Builds nothing; says what is missing.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
python=${PYTHON:-python3}
program=$root/target/release/attendant
cache=${XDG_CACHE_HOME:-$HOME/.cache}/attendant-evaluation
card=$root/models/starter-en/README.md
human= model=starter count=80
while [ $# -gt 0 ]; do
    case $1 in
    --human) human=$2; shift 2 ;;
    --count) count=$2; shift 2 ;;
    --model) model=$2; shift 2 ;;
    --attendant) program=$2; shift 2 ;;
    --cache) cache=$2; shift 2 ;;
    --no-card) card=; shift ;;
    *) sed -n '2,4s/^# //p' "$0" >&2; exit 2 ;;
    esac
done
missing=
[ -x "$program" ] || missing="$missing\n  $program: build it with make build, or name one with --attendant"
for tool in espeak-ng flite ffmpeg; do
    command -v $tool >/dev/null || missing="$missing\n  $tool: apt-get install $tool"
done
"$python" -c 'import numpy, scipy' 2>/dev/null || missing="$missing\n  $python without numpy and scipy: see models/train/requirements.txt, or name another with PYTHON"
[ -z "$human" ] || [ -d "$human/digits" ] || missing="$missing\n  $human: no folder of recordings of people (digits/SPEAKER/D_N.*)"
if [ -n "$missing" ]; then
    printf "missing:$missing\n" >&2
    exit 1
fi
[ -d /usr/share/festival/voices ] && ls -d /usr/share/festival/voices/*/cmu_us_slt_arctic_hts >/dev/null 2>&1 ||
    echo "without the package festvox-us-slt-hts: one voice is left out" >&2
[ -n "$human" ] || echo "without --human: the people of the training are left out" >&2
for package in saytime klettres-data asterisk-prompt-es-co asterisk-prompt-fr-armelle asterisk-prompt-it-menardi-wav; do
    dpkg -s $package >/dev/null 2>&1 || echo "without the package $package: a person never heard is left out" >&2
done
exec "$python" "$here/evaluate.py" --attendant "$program" --model "$model" --count "$count" --cache "$cache" \
    ${human:+--human "$human"} ${card:+--card "$card"}
