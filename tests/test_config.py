import pytest

from colorizer import Settings, UsageError
from colorizer.config import DataSettings, check, crop_at, last_crop, size_as_trained


def test_defaults_are_valid() -> None:
    plain = check(Settings())
    assert plain["trainer"]["epochs"] == 100
    assert plain["data"]["train"] is None


def test_a_misspelt_setting_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(UsageError, match=r"TrainerSettings has no setting 'epoch'.*'epochs'"):
        Settings().trainer.epoch = 3


@pytest.mark.parametrize(
    ("group", "name", "value", "message"),
    [
        ("trainer", "epochs", "many", "epochs"),
        ("optimizer", "learning_rate", -1.0, "learning_rate is -1.0; accepted are numbers above 0"),
        ("data", "scale", (0.9, 0.5), "scale"),
        ("data", "holdout", 1.0, "holdout"),
        ("data", "grow", {1.5: 64}, "grow"),
        ("data", "batch_size", "most", "batch_size"),
        ("data", "batch_size", 0, "batch_size"),
        ("trainer", "devices", 0, "devices"),
        ("trainer", "ema", 1.0, "ema"),
        ("optimizer", "betas", (0.9, 1.0), "betas"),
        ("optimizer", "momentum", -0.1, "momentum"),
        ("optimizer", "weight_decay", -0.1, "weight_decay"),
        ("optimizer", "encoder_factor", -1.0, "encoder_factor"),
        ("schedule", "final", 1.5, "final"),
        ("schedule", "gamma", 0.0, "gamma"),
        ("schedule", "warmup_steps", -1, "warmup_steps"),
    ],
)
def test_a_wrong_value_is_named(group: str, name: str, value: object, message: str) -> None:
    settings = Settings()
    setattr(getattr(settings, group), name, value)
    with pytest.raises(UsageError, match=message):
        check(settings)


def test_a_share_that_no_epoch_reaches_is_refused() -> None:
    settings = Settings()
    settings.trainer.epochs = 9
    for share in (8 / 9, 0.5):  # the ninth epoch begins at 8/9
        settings.data.grow, settings.model["freeze"] = {share: 256}, share
        check(settings)
    settings.data.grow, settings.model["freeze"] = {0.9: 256}, 0.9
    with pytest.raises(UsageError, match=r"data.grow .* of 9 epochs.*; model.freeze .up to 0.88"):
        check(settings)
    settings.data.grow, settings.model["freeze"] = {}, True
    check(settings)


def test_crops_grow_at_their_shares_of_the_training() -> None:
    data = DataSettings(crop=128, grow={0.8: 256, 0.5: 192})
    progress = (0, 0.49, 0.5, 0.79, 0.8, 1)
    assert [crop_at(data, share) for share in progress] == [128, 128, 192, 192, 256, 256]
    assert last_crop(data) == 256
    assert size_as_trained(data) == 320


@pytest.mark.parametrize(
    ("crop", "scale", "size"),
    [(128, (0.6, 1.0), 160), (96, (0.5, 1.0), 128), (32, (1.0, 1.0), 32), (256, (1.0, 1.0), 256)],
)
def test_the_working_size_is_that_of_training(
    crop: int, scale: tuple[float, float], size: int
) -> None:
    assert size_as_trained(DataSettings(crop=crop, scale=scale)) == size
