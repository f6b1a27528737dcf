"""The course in ten minutes: tune the classics, train one network on the spot, reconstruct a real scan."""

import time

from . import data
from .evaluate import evaluate, tuned
from .methods import card
from .methods.base import Reconstructor
from .profiles import Profile
from .sampling import effective_acceleration, protocol
from .scores import Scores, table
from .train import fit

ACCELERATIONS = (4, 8)


def start(where: Profile, seconds: float | None = None) -> dict:
    """Run the whole story for a profile; prints as it goes and returns every number."""
    began = time.monotonic()
    print(f"1. Data, profile {where.name}")
    print(f"   {data.root(where.name)}")
    print("2. Classical methods: lambda is tuned on the validation subjects")
    classics = {R: _classics(where, R) for R in ACCELERATIONS}
    print(
        f"3. One network, DC-CNN, is trained on this machine for {seconds or where.seconds:.0f} s (R = 4 and 8 mixed)"
    )
    network = _train(where, seconds or where.seconds)
    tables = {}
    for split, title in (("test", "an unseen simulated subject"), ("real", "the real scan, never trained on")):
        for R in ACCELERATIONS:
            samples = data.slices(split, protocol(R), where.name)
            methods = classics[R] | {"dc_cnn": network}
            rows = {name: evaluate(model, samples) for name, model in methods.items()}
            inside = {name: evaluate(model, samples, inside=True) for name, model in methods.items()}
            effective = effective_acceleration(samples[0].mask)
            print(f"\n{title}: R = {R} (effective {effective:.2f}), {len(samples)} slices")
            print(table(rows, baseline="cs_tv"))
            gain = inside["dc_cnn"].over(inside["cs_tv"])
            print(f"PSNR inside the head, dc_cnn - cs_tv: {gain.mean:+.2f} [{gain.low:+.2f}, {gain.high:+.2f}]")
            tables[f"{split} R={R}"] = _numbers(rows, inside)
    print(f"\nDone in {time.monotonic() - began:.0f} s. Next: make lab, and open chapter 00.")
    return {"tables": tables, "seconds": time.monotonic() - began}


def _classics(where: Profile, R: int) -> dict[str, Reconstructor]:
    samples = data.slices("val", protocol(R), where.name)
    methods = {name: tuned(card(name), samples) for name in ("zero_filled", "sense_cg", "cs_wavelet", "cs_tv")}
    for name in ("cs_wavelet", "cs_tv"):
        print(f"   {name}, R = {R}: lambda = {methods[name].lam:.2g}")
    return methods


def _train(where: Profile, seconds: float) -> Reconstructor:
    model = card("dc_cnn").build(**card("dc_cnn").small)
    strip, batch = card("dc_cnn").cut(where.strip, where.batch)
    training = data.slices("train", protocol(*ACCELERATIONS), where.name, training=True, strip=strip)
    run = fit(model, training, data.slices("val", protocol(4), where.name), seconds, batch=batch)
    parameters = sum(p.numel() for p in model.parameters())
    print(f"   {run.steps} steps, {parameters:,} parameters, validation PSNR {run.validation[-1][1]:.2f} dB")
    return model


def _numbers(rows: dict[str, Scores], inside: dict[str, Scores]) -> dict:
    return {
        name: {metric: scores.mean(metric) for metric in scores.values}
        | {"psnr_in_the_head": inside[name].mean("psnr"), "seconds": scores.seconds}
        | {"psnr_over_tv": vars(scores.over(rows["cs_tv"]))}
        | {"psnr_over_tv_in_the_head": vars(inside[name].over(inside["cs_tv"]))}
        for name, scores in rows.items()
    }
