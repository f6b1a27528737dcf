"""Training ends in time, resumes, keeps the best weights; evaluation, tuning and statistics count right."""

import math

import pytest
import torch

from course_lib import checkpoint, weights
from course_lib.batches import batches
from course_lib.data.phantom import phantom_sample
from course_lib.errors import CourseError
from course_lib.evaluate import evaluate, head, tune
from course_lib.methods import card
from course_lib.muon import MOMENTUM, Muon, orthogonal
from course_lib.scores import Scores, bootstrap, table
from course_lib.train import _lower, _optimisers, _step, fit, schedule

TRAIN = [phantom_sample(seed=i, noise=0.02) for i in range(4)]
VALIDATION = [phantom_sample(seed=i, noise=0.02) for i in range(4, 6)]


def tiny():
    torch.manual_seed(0)
    return card("dc_cnn").build(cascades=2, width=4, depth=2, cg_iterations=2)


def test_training_helps_and_ends_in_time():
    model = tiny()
    before = evaluate(model, VALIDATION).mean("psnr")
    run = fit(model, TRAIN, VALIDATION, seconds=3, progress=False)
    assert 3 <= run.seconds < 8 and run.steps == len(run.losses) > 0
    assert evaluate(model, VALIDATION).mean("psnr") > before


def test_the_best_weights_are_kept():
    model = tiny()
    run = fit(model, TRAIN, VALIDATION, seconds=2, lr=0.3, progress=False)  # too fast: later weights get worse
    best = max(psnr for _, psnr in run.validation)
    assert evaluate(model, VALIDATION).mean("psnr") == pytest.approx(best, abs=1e-3)


def test_an_interrupted_run_goes_on_where_it_was(tmp_path):
    file = tmp_path / "net.run"
    first = fit(tiny(), TRAIN, VALIDATION, seconds=2, save_to=file, progress=False)
    again = fit(tiny(), TRAIN, VALIDATION, seconds=3, save_to=file, progress=False)
    saved = len(first.validation) - 1  # the last check is made after the last save
    assert again.validation[:saved] == first.validation[:saved]
    assert again.seconds < 5 and len(list(tmp_path.iterdir())) == 1


def test_batches_made_ahead_come_in_the_same_order():
    """As for a GPU; `meta` is a device that every machine has."""
    samples = [phantom_sample(8, width) for width in range(8, 13)]
    made = {d: batches(samples, 1, seed=3, device=torch.device(d)) for d in ("cpu", "meta")}
    widths = {d: [next(endless).image.shape[-1] for _ in range(20)] for d, endless in made.items()}
    assert widths["meta"] == widths["cpu"] and set(widths["cpu"]) == set(range(8, 13))
    made["meta"].close()


def test_ctrl_c_keeps_the_best_weights():
    model = tiny()
    whole, steps = model.loss, []

    def impatient(sample):
        steps.append(sample)
        if len(steps) > 10:
            raise KeyboardInterrupt
        return whole(sample)

    model.loss = impatient
    run = fit(model, TRAIN, VALIDATION, seconds=60, checks=0, progress=False)
    assert run.steps == 10 and len(run.validation) == 1


def test_a_run_of_another_model_is_refused(tmp_path):
    file = tmp_path / "net.run"
    model = tiny()
    checkpoint.save(file, model, {}, {"optimiser": Muon(model)}, {})
    other = card("dc_cnn").build(cascades=3, width=4, depth=2)
    with pytest.raises(CourseError, match="cannot be resumed.*delete it"):
        checkpoint.load(file, other, {"optimiser": Muon(other)})


def gan(eta=0.9):
    torch.manual_seed(0)
    return card("gan").build(eta=eta, width=4, depth=2)


def moved(model, before):
    """Names of the parameters that changed."""
    return {name for name, p in model.named_parameters() if not torch.equal(p, before[name])}


def test_each_turn_moves_the_parameters_of_one_player_only():
    model = gan()
    optimisers = _optimisers(model, 1e-2, 1e-3)
    critics = {f"critic.{name}" for name, _ in model.critic.named_parameters()}
    for loss, name in ((model.critic_loss, "critic"), (model.loss, "optimiser")):
        before = {key: p.detach().clone() for key, p in model.named_parameters()}
        _lower(loss, optimisers[name], TRAIN[0], pace=1.0)
        assert moved(model, before) == (critics if name == "critic" else set(before) - critics)


def test_a_turn_starts_without_the_gradients_of_the_one_before():
    """The generator's backward pass leaves gradients in the critic: its next step must not feel them."""
    model, other = gan(), gan()
    for each, fooled in ((model, True), (other, False)):
        if fooled:
            each.loss(TRAIN[1]).backward()
        _lower(each.critic_loss, _optimisers(each, 1e-2, 1e-3)["critic"], TRAIN[0], pace=1.0)
    assert all(torch.equal(a, b) for a, b in zip(model.critic.parameters(), other.critic.parameters()))


def test_a_round_is_the_critic_s_turn_then_the_model_s():
    model, turns = gan(), []
    for name in ("critic_loss", "loss"):
        whole = getattr(model, name)
        setattr(model, name, lambda sample, name=name, whole=whole: (turns.append(name), whole(sample))[1])
    _step(model, _optimisers(model, 1e-2, 1e-3), TRAIN[0], pace=1.0)
    assert turns == ["critic_loss", "loss"]
    assert set(_optimisers(tiny(), 1e-2, 1e-3)) == {"optimiser"}


def test_training_a_gan_teaches_the_critic_and_the_generator():
    model = gan()
    before = evaluate(model, VALIDATION).mean("psnr")
    run = fit(model, TRAIN, VALIDATION, seconds=4, progress=False)
    assert run.steps > 20 and evaluate(model, VALIDATION).mean("psnr") > before
    assert moved(model.critic, dict(gan().critic.named_parameters())) == {n for n, _ in model.critic.named_parameters()}


def test_a_resumed_gan_takes_the_turns_that_the_first_would_have_taken(tmp_path):
    models = gan(), gan()
    optimisers = [_optimisers(model, 1e-2, 1e-3) for model in models]
    _step(models[0], optimisers[0], TRAIN[0], pace=1.0)
    checkpoint.save(tmp_path / "net.run", models[0], {}, optimisers[0], {})
    checkpoint.load(tmp_path / "net.run", models[1], optimisers[1])
    for model, both in zip(models, optimisers):
        _step(model, both, TRAIN[1], pace=1.0)
    assert all(torch.equal(a, b) for a, b in zip(*(model.parameters() for model in models)))


def test_evaluation_does_not_ask_the_critic():
    model = gan()
    with_critic = evaluate(model, VALIDATION).mean("psnr")
    model.critic = None
    assert evaluate(model, VALIDATION).mean("psnr") == with_critic


def test_muon_makes_the_singular_values_of_every_matrix_alike():
    for shape in ((3, 16, 144), (2, 16, 2), (1, 5, 5)):
        U, _, V = torch.linalg.svd(matrices := torch.randn(shape, dtype=torch.float64), full_matrices=False)
        found = orthogonal(matrices)
        assert 0.6 < torch.linalg.svdvals(found).min() and torch.linalg.svdvals(found).max() < 1.25
        assert torch.linalg.svdvals(U.mT @ found @ V.mT - torch.eye(U.shape[-1])).max() < 0.4  # same singular vectors


def test_muon_steps_along_the_momentum_and_leaves_biases_to_adam():
    torch.manual_seed(1)
    layer = torch.nn.Conv2d(3, 4, 3).double()
    weight, bias = layer.weight.detach().clone(), layer.bias.detach().clone()
    optimiser, momentum = Muon(layer), 0
    for group in optimiser.param_groups:
        group["lr"] = 0.1
    for _ in range(2):
        gradient = torch.randn_like(weight)
        layer.weight.grad, layer.bias.grad = gradient.clone(), torch.full_like(bias, -5.0)
        optimiser.step()
        momentum = MOMENTUM * momentum + gradient
        direction = orthogonal((gradient + MOMENTUM * momentum).flatten(1)[None]).view_as(weight)
        weight, bias = weight - 0.1 * direction, bias + 0.1  # Adam's step has the size of its rate
    assert torch.allclose(layer.weight, weight) and torch.allclose(layer.bias, bias, atol=1e-6)


def test_a_resumed_optimiser_takes_the_step_that_the_first_would_have_taken(tmp_path):
    def step(model, optimiser, sample):
        model.zero_grad()
        model.loss(sample).backward()
        optimiser.step()

    model, other = tiny(), tiny()
    optimiser, resumed = Muon(model), Muon(other)
    for each in (*optimiser.param_groups, *resumed.param_groups):
        each["lr"] = each["peak"]
    step(model, optimiser, TRAIN[0])
    checkpoint.save(tmp_path / "net.run", model, {}, {"optimiser": optimiser}, {})
    checkpoint.load(tmp_path / "net.run", other, {"optimiser": resumed})
    step(model, optimiser, TRAIN[1])
    step(other, resumed, TRAIN[1])
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), other.parameters()))


def test_a_loss_that_is_no_number_is_said():
    model = tiny()
    model.lam.data.fill_(math.nan)
    with pytest.raises(CourseError, match="loss became nan"):
        fit(model, TRAIN, VALIDATION, seconds=5, progress=False)


def test_weights_come_back_with_their_settings(tmp_path):
    model = tiny()
    settings = {"cascades": 2, "width": 4, "depth": 2, "cg_iterations": 2}
    file = weights.save(model, tmp_path / "w.safetensors", "dc_cnn", settings, {"seconds": 3})
    back = weights.load(file, "dc_cnn")
    s = TRAIN[0]
    assert torch.equal(back(s.kspace, s.A), model(s.kspace, s.A)) and weights.facts(file)["seconds"] == 3


def test_the_weights_that_come_with_the_course_are_found(tmp_path, monkeypatch):
    monkeypatch.setattr(weights, "BUNDLED", tmp_path)
    assert weights.bundled("dc_cnn") is None
    for profile in ("cpu", "gpu"):
        path = weights.save(tiny(), tmp_path / f"weights_{profile}" / "dc_cnn_random_0.safetensors", "dc_cnn", {}, {})
        assert weights.bundled("dc_cnn") == path and weights.bundled("modl") is None


def test_bad_weights_get_one_line(tmp_path):
    settings = {"cascades": 2, "width": 4, "depth": 2}
    file = weights.save(tiny(), tmp_path / "w.safetensors", "dc_cnn", settings | {"width": 5}, {})
    with pytest.raises(CourseError, match="does not fit.*train again"):
        weights.load(file)
    with pytest.raises(CourseError, match="another method; expected modl; found dc_cnn"):
        weights.load(file, "modl")
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(CourseError, match="cannot be read as weights"):
        weights.load(file)
    with pytest.raises(CourseError, match="cannot be read as weights"):
        weights.load(tmp_path / "none.safetensors")


def test_tuning_finds_the_best_value_without_trying_all():
    tried = []

    def build(lam):
        tried.append(lam)
        return card("sense_cg").build(iterations=20, lam=lam)

    noisy = [phantom_sample(seed=i, noise=0.1) for i in range(2)]
    values = [10.0**k for k in range(-6, 3)]
    found = tune(build, noisy, values)
    every = {v: evaluate(card("sense_cg").build(iterations=20, lam=v), noisy).mean("nrmse") for v in values}
    assert found == min(every, key=every.__getitem__) and len(tried) < len(values)


def test_the_head_is_where_the_tissue_is():
    image = torch.zeros(1, 64, 64, dtype=torch.complex64)
    image[:, 16:48, 16:48] = 1
    assert head(image)[0, 32, 32] == 1 and head(image)[0, 2, 2] == 0
    shown = evaluate(card("zero_filled").build(), TRAIN, inside=True).mean("psnr")
    assert shown != evaluate(card("zero_filled").build(), TRAIN).mean("psnr")


def test_intervals_hold_what_they_say():
    rng = torch.Generator().manual_seed(1)
    hits = 0
    for i in range(100):
        interval = bootstrap(torch.randn(30, generator=rng) + 1, draws=400, seed=i)
        hits += interval.low < 1 < interval.high
    assert 85 <= hits <= 100
    assert bootstrap(torch.tensor([1.0, 1.2, 0.9])).excludes_zero
    assert not bootstrap(torch.tensor([-1.0, 1.2, 0.1])).excludes_zero


def test_differences_are_paired():
    easy_and_hard = torch.tensor([20.0, 40.0, 30.0])
    a = Scores({"psnr": easy_and_hard + 1, "nrmse": easy_and_hard, "ssim": easy_and_hard}, 0.1)
    b = Scores({"psnr": easy_and_hard, "nrmse": easy_and_hard, "ssim": easy_and_hard}, 0.1)
    gain = a.over(b)
    assert gain.low == gain.high == gain.mean == 1
    assert "+1.00 [+1.00, +1.00]" in table({"a": a, "b": b}, baseline="b")


def test_the_learning_rate_rises_then_falls_to_zero():
    assert schedule(0) == 0 and schedule(0.05) > 0.99 and schedule(1) < 1e-6
    assert schedule(0.3) > schedule(0.6) > schedule(0.9)
