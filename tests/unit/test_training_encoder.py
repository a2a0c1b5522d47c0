import numpy as np
import pytest
import torch

from loopwm_ros.training.encoder import Encoder, Keypoints
from loopwm_ros.training.losses import reading_loss
from loopwm_ros.training.settings import CoreSettings, EncoderSettings, StageSettings

STAGE = StageSettings(steps=1, batch=1, learning_rate=0.1)
SETTINGS = EncoderSettings(channels=(4, 4, 4, 4), keypoints=3, hidden=16, stage=STAGE)
CORE = CoreSettings(tokens=2, width=16, heads=2)
SIZE = (24, 32)


@pytest.fixture
def encoder() -> Encoder:
    torch.manual_seed(0)
    return Encoder(SETTINGS, CORE, SIZE, proprio=5, quantities=4).eval()


def test_keypoint_follows_a_dot() -> None:
    keypoints = Keypoints(SETTINGS, SIZE).eval()
    with torch.no_grad():  # each layer passes brightness on
        for layer in (*keypoints.convolutions, keypoints.heat):
            if isinstance(layer, torch.nn.Conv2d):
                layer.weight.zero_()
                layer.weight[:, :, layer.kernel_size[0] // 2, layer.kernel_size[1] // 2] = 1.0
                layer.bias.zero_()
    image = torch.zeros(1, 3, *SIZE)
    image[:, :, 20, 28] = 5.0  # lower right: row 5 of 0..5, column 7 of 0..7
    x, y, spread, _ = keypoints(image)[0, :4].tolist()
    assert (x, y) == pytest.approx((1.0, 1.0), abs=1e-3)
    assert spread == pytest.approx(0.0, abs=1e-3)


def test_glimpse_says_what_is_at_the_keypoint_wherever_it_is() -> None:
    torch.manual_seed(0)
    keypoints = Keypoints(SETTINGS.model_copy(update={"glimpses": 1}), (48, 64)).eval()
    with torch.no_grad():  # the point goes to where something is bright
        keypoints.heat.weight.fill_(500.0)
        for layer in keypoints.convolutions:
            if isinstance(layer, torch.nn.Conv2d):
                layer.bias.zero_()
    patch = torch.rand(3, 8, 8)
    seen = []
    for row, column, turn in ((8, 12, 0), (28, 40, 0), (8, 12, 1)):
        image = torch.zeros(1, 3, 48, 64)
        image[0, :, row : row + 8, column : column + 8] = patch.rot90(turn, (1, 2))
        with torch.no_grad():
            features = keypoints(image)[0]
        assert len(features) == keypoints.size
        seen.append(features[-SETTINGS.channels[3] :])
    assert torch.allclose(seen[0], seen[1], atol=1e-3 * seen[0].abs().max())
    assert not torch.allclose(seen[0], seen[2], atol=1e-2 * seen[0].abs().max())


def test_outputs_have_their_shapes_and_units(encoder: Encoder) -> None:
    encoder.quantity_mean.copy_(torch.tensor([100.0, 0.0, 0.0, 0.0]))
    tokens, reading, std = encoder(torch.randn(7, 3, *SIZE), torch.randn(7, 5))
    assert tokens.shape == (7, 2, 16)
    assert reading.shape == std.shape == (7, 4)
    assert (reading[:, 0] > 90).all()
    assert ((std >= SETTINGS.std_floor) & (std <= SETTINGS.std_ceiling)).all()


def test_tokens_are_never_the_zeros_that_mean_no_observation(encoder: Encoder) -> None:
    tokens, _, _ = encoder(torch.zeros(1, 3, *SIZE), torch.zeros(1, 5))
    assert tokens.square().mean() > 0.5


def test_loss_is_least_at_the_truth_with_an_honest_sigma() -> None:
    rng = np.random.default_rng(0)
    target = torch.from_numpy(rng.normal(0, 0.02, (4000, 1)))
    known = torch.ones(4000, 1, dtype=torch.bool)
    settings = SETTINGS.model_copy(update={"squared_weight": 0.0})

    def loss(offset: float, sigma: float) -> float:
        reading = torch.full_like(target, offset)
        return float(reading_loss(reading, torch.full_like(target, sigma), target, known, settings))

    honest = loss(0.0, 0.02)
    assert honest < loss(0.0, 0.01)
    assert honest < loss(0.0, 0.04)
    assert honest < loss(0.01, 0.02)


def test_unknown_labels_teach_nothing(encoder: Encoder) -> None:
    _, reading, std = encoder(torch.randn(3, 3, *SIZE), torch.randn(3, 5))
    unknown = torch.zeros(3, 4, dtype=torch.bool)
    assert reading_loss(reading, std, torch.full((3, 4), 9.0), unknown, SETTINGS) == 0.0


def test_at_first_each_keypoint_is_somewhere_else() -> None:
    torch.manual_seed(0)
    settings = EncoderSettings(keypoints=24, stage=StageSettings(steps=1, batch=1, learning_rate=1e-3))
    images = torch.rand(4, 3, 72, 96) * 4 - 2
    points = Keypoints(settings, (72, 96))(images).unflatten(1, (24, Keypoints.features))
    assert points[..., :2].std(dim=1).mean() > 0.015, "of an image of width 2: not all in the middle"
