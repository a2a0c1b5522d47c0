.venv/bin/loopwm collect --recipe contact --out data/contact
.venv/bin/loopwm study --config config/study/contact.yaml --out runs/study --data data/contact/train-free \
    --data data/contact/train-one --data data/contact/train-chain --data data/contact/train-fast --arms \
    loop,one-pass,depth-4-narrow,depth-4,depth-4x,depth-16x,depth-100,gru,rssm,latent-mlp,one-pass-long,\
loop-chunk-2,transition-t-chunk-2,one-pass-chunk-2,gru-chunk-2
.venv/bin/loopwm evaluate $(printf -- '--run %s ' runs/study/arms/*/seed-?/) --data data/contact/test-one \
    --data data/contact/test-chain --data data/contact/test-fast --data data/contact/shifted-heavy \
    --data data/contact/shifted-slippery --long data/contact/long-one --long data/contact/long-chain \
    --readout data/contact/train-free --windows 200 --device cpu --out out/study \
    --section prediction --section loops --section stability --section gain
.venv/bin/loopwm evaluate $(printf -- '--run %s ' runs/study/arms/*/seed-0/) --data data/contact/test-one \
    --windows 200 --device cpu --out out/costs --section costs  # on a machine with nothing else to do
.venv/bin/python -m json.tool --compact out/study/evaluation.json docs/results/study/evaluation.json
.venv/bin/python -m json.tool --compact out/costs/evaluation.json docs/results/study/costs.json
for arm in loop one-pass depth-4-narrow gru latent-mlp; do for seed in 0 1 2; do
    .venv/bin/loopwm export --run runs/study/arms/$arm/seed-$seed --out runs/study/bundles/$arm-$seed
done; done
.venv/bin/python -m benchmarks.closed_loop benchmarks/closed_loop/study.yaml --out out/closed_loop
cp out/closed_loop/summary.json out/closed_loop/success.svg docs/results/benchmarks/closed_loop/
.venv/bin/python tools/study_plots.py
.venv/bin/python tools/render_results.py
