#!/usr/bin/env bash
# nmt in the side-by-side benchmark of toolkits. PEERS names its folder (common.sh, bench_run.py, ...); LAB and DATA as there.
#   PEERS=... LAB=... DATA=... scripts/peers/run_nmt.sh setup
#   CONF=tsmall|rattn|luong|fixed STEPS=80 PRECISION=auto|fp32 scripts/peers/run_nmt.sh train
#   scripts/peers/run_nmt.sh decode      # our own search, then CTranslate2 in float32 and int8
PEER=nmt; . "${PEERS:?set PEERS to the folder of the benchmark}/common.sh"
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
unset OMP_WAIT_POLICY  # nmt says itself how its threads wait; the peers take what is set (OMP_WAIT_POLICY=ACTIVE is their best)
export PYTHONPATH="$ROOT:$ROOT/scripts/peers"
OUT="$LAB/out/nmt.$CONF"
PYTHON="$LAB/venv/nmt/bin/python"
case ${1:-train} in
setup) ln -sfn "${VENV:-$ROOT/.venv}" "$LAB/venv/nmt" ;;
train)
  rm -rf "$OUT"
  train bench_nmt:main "+experiment=benchmark/$CONF" "run.dir=$OUT" "cache=$LAB/out/nmt.cache" \
    corpus=files "corpus.train=['$DATA/train.bpe.{language}']" "corpus.valid='$DATA/val.bpe.{language}'" \
    "corpus.tests={test: '$DATA/test.bpe.{language}'}" "trainer.max_steps=$STEPS" "trainer.precision=${PRECISION:-auto}" ;;
decode)
  COMMON="run='$OUT' decoding.batch_size=${BATCH:-64} decoding.max_length_factor=0 decoding.max_length_offset=16 decoding.min_length=16"
  decode_timed "$CONF.beam5" "'$PYTHON' -m nmt.translate $COMMON checkpoint=last < \$IN > \$HYP"
  decode_timed "$CONF.beam5.bf16" "'$PYTHON' -m nmt.translate $COMMON checkpoint=last decoding.precision=bf16 < \$IN > \$HYP"
  [ "$CONF" = tsmall ] || exit 0
  for kind in float32 int8; do
    "$PYTHON" -m nmt.export run="$OUT" quantization=$kind checkpoint=last > /dev/null
    decode_timed "$CONF.beam5.ct2.$kind" "'$PYTHON' -m nmt.translate $COMMON checkpoint=last engine=ctranslate2 < \$IN > \$HYP"
  done ;;
esac
