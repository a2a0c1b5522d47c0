main="loop-parts loop-parts-8 loop-parts-5 loop-parts-narrow loop-parts-tiny loop fixed-t one-pass depth-4-narrow depth-4 depth-4x depth-16x depth-64x \
    depth-100 untied-parts-narrow gru rssm latent-mlp paper-block loop-parts-time one-pass-long gru-long loop-parts-long \
    one-pass-longest gru-longest latent-mlp-longest"
ablations="depth-100-chunk-1 terminal-only without-entropy loop-iterations transition-t free-retention loop-chunk-4 one-pass-chunk-4 \
    gru-chunk-4 loop-chunk-2 one-pass-chunk-2 gru-chunk-2 one-pass-chunk-1 gru-chunk-1"
first() { for arm in "$@"; do printf -- '--run %s ' runs/study/arms/$arm/seed-0/; done; }
runs() { for arm in "$@"; do printf -- '--run %s ' runs/study/arms/$arm/seed-?/; done; }
parts="$(printf -- '--data data/contact/%s ' test-one test-chain test-fast shifted-heavy shifted-slippery)"
# The recordings and runs/clutter-first, whose encoder is taken: docs/training.md, the clutter model from nothing.
.venv/bin/loopwm study --config config/study/contact.yaml --out runs/study --start runs/clutter-first \
    --data data/scenes/train-scenes $(printf -- '--data data/contact/train-%s ' free one chain fast) \
    --arms $(echo $main $ablations | tr ' ' ',')
.venv/bin/loopwm evaluate $(runs $main) $parts --long data/contact/long-one --long data/contact/long-chain \
    --readout data/contact/train-free --windows 200 --device cpu --out out/study \
    --section prediction --section loops --section stability --section gain
.venv/bin/loopwm evaluate $(runs $ablations) $parts --readout data/contact/train-free --windows 200 --device cpu \
    --out out/ablations --section prediction --section loops
costs="loop-parts loop-parts-8 depth-100 depth-100-chunk-1 loop paper-block loop-parts-5 loop-parts-narrow loop-parts-tiny one-pass depth-4-narrow depth-4 \
    depth-4x depth-16x depth-64x untied-parts-narrow gru rssm latent-mlp one-pass-chunk-2 gru-chunk-2"
.venv/bin/loopwm evaluate $(first $costs) --section costs \
    --data data/contact/test-one --windows 200 --device cpu --out out/costs
.venv/bin/python tools/study_keep.py out/study/evaluation.json docs/results/study/evaluation.json
.venv/bin/python tools/study_keep.py out/ablations/evaluation.json docs/results/study/ablations.json
.venv/bin/python tools/study_keep.py out/costs/evaluation.json docs/results/study/costs.json
for arm in loop-parts loop one-pass depth-4-narrow gru latent-mlp loop-parts-long one-pass-longest gru-longest \
    latent-mlp-longest; do for seed in 0 1 2; do
    .venv/bin/loopwm export --run runs/study/arms/$arm/seed-$seed --out runs/study/bundles/$arm-$seed
done; done
for file in study study_long study_25_ms; do
    .venv/bin/python -m benchmarks.closed_loop benchmarks/closed_loop/$file.yaml --out out/closed_loop/$file
    cp out/closed_loop/$file/su* docs/results/benchmarks/closed_loop${file#study}/
done
.venv/bin/python tools/study_plots.py
.venv/bin/python tools/render_results.py
