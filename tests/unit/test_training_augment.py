import pytest
import torch

from loopwm_ros.processing.images import normalise_image
from loopwm_ros.training.augment import Augment
from loopwm_ros.training.settings import AugmentSettings
from tests.fakes import make_spec

OFF = AugmentSettings(brightness=0, contrast=0, colour=0, noise=0, cutout=0, blank=0)


@pytest.fixture
def images() -> torch.Tensor:
    pixels = torch.randint(0, 256, (8, 24, 32, 3), generator=torch.Generator().manual_seed(0))
    return torch.from_numpy(normalise_image(make_spec(), pixels.to(torch.uint8).numpy()))


def run(settings: AugmentSettings, images: torch.Tensor, seed: int = 0) -> torch.Tensor:
    augment = Augment.of(settings, make_spec())
    return augment(images.clone(), torch.Generator().manual_seed(seed))


def test_nothing_asked_changes_nothing(images: torch.Tensor) -> None:
    assert torch.allclose(run(OFF, images), images, atol=1e-5)


def test_result_is_a_valid_image_and_depends_on_the_seed_alone(images: torch.Tensor) -> None:
    once = run(AugmentSettings(noise=0.5), images)
    assert torch.equal(once, run(AugmentSettings(noise=0.5), images))
    assert not torch.equal(once, run(AugmentSettings(noise=0.5), images, seed=1))
    assert once.min() >= -2.0
    assert once.max() <= 2.0


def test_blank_shows_nothing(images: torch.Tensor) -> None:
    blank = run(OFF.model_copy(update={"blank": 1.0}), images)
    assert float(blank.flatten(2).std(2).max()) < 1e-6


def test_cutout_hides_a_part(images: torch.Tensor) -> None:
    cut = run(OFF.model_copy(update={"cutout": 1.0}), images)
    hidden = ((cut - images).abs().amax(1) > 1e-5).float().mean((1, 2))
    assert ((hidden > 0) & (hidden < 0.3)).all()


@pytest.mark.parametrize("kind", ["brightness", "contrast", "colour"])
def test_light_differs_by_image_and_moves_no_pixel(images: torch.Tensor, kind: str) -> None:
    changed = run(OFF.model_copy(update={kind: 0.1}), images)
    shift = (changed - images).abs().mean((1, 2, 3))
    assert (shift > 1e-3).any()
    assert shift.std() > 1e-3
    order = images[0, 0].flatten().argsort()
    assert (changed[0, 0].flatten()[order].diff() >= -1e-5).all()
