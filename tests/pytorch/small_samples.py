"""What scipy says of small samples -> tests/reference/statistics.json, read by the tests in
crates/records/src/statistics/.

What scipy lacks is computed here by its definition: Holm's adjusted p values by testing every intersection, Hedges' g
with scipy's gamma function, the seeds that are needed by trying one number after the other, what is detectable by
finding a root.

    python small_samples.py         # writes the file, in a minute
    python small_samples.py looks   # prints the rows of crates/records/src/statistics/sequential/table.rs, in half an hour
    python small_samples.py shapes  # prints what other shapes of its levels would cost, in ten minutes
"""

import itertools
import json
import sys
from pathlib import Path

import numpy as np
from scipy import optimize, special, stats

REFERENCE = Path(__file__).parent.parent / "reference"
LEVEL = 0.05

# Differences in accuracy by seed, in points: made up, of several sizes and shapes.
SAMPLES = {
    "two": [0.3, 0.7],
    "three": [0.4, 0.9, 0.1],
    "five": [-0.4, 2.2, 2.1, 2.3, 2.6],
    "six": [0.12, -0.31, 0.07, 0.45, -0.02, 0.26],
    "ten": [0.51, 0.93, -0.22, 0.64, 1.31, 0.08, 0.77, -0.41, 0.35, 1.02],
    "skewed": [0.1, 0.2, 0.21, 0.3, 0.33, 0.4, 0.5, 0.7, 1.2, 3.0, 0.15, 0.6],
    "thirteen": [-1.2, 0.3, 0.8, -0.1, 0.9, 0.45, -0.6, 1.7, 0.05, 0.65, -0.35, 0.55, 1.1],
    "thirty": [round(float(np.sin(7.0 * k) + 0.4 + 0.01 * k), 3) for k in range(30)],
}
TIES = {
    "equal-sizes": [0.5, -0.5, 0.5, 1.0, 1.0, -0.25, 2.0],
    "with-zeros": [0.0, 0.5, 0.0, -0.25, 0.75, 0.5, 1.0],
    "tenths": [0.1, 0.2, -0.3, 0.4, 0.5, -0.1, 0.7, 0.2],
}


def paired_t(by_seed: list[float]) -> dict:
    test = stats.ttest_1samp(by_seed, 0.0)
    interval = test.confidence_interval(1 - LEVEL)
    return {
        "by_seed": by_seed,
        "mean": np.mean(by_seed),
        "standard_error": stats.sem(by_seed),
        "freedom": test.df,
        "t": test.statistic,
        "p": test.pvalue,
        "low": interval.low,
        "high": interval.high,
    }


def unpaired_t(first: list[float], second: list[float]) -> dict:
    test = stats.ttest_ind(second, first, equal_var=False)
    interval = test.confidence_interval(1 - LEVEL)
    return {
        "first": first,
        "second": second,
        "freedom": test.df,
        "t": test.statistic,
        "p": test.pvalue,
        "low": interval.low,
        "high": interval.high,
    }


def holm(p: list[float]) -> dict:
    """Adjusted by closed testing: the greatest of Bonferroni's p over all sets that hold the test."""
    sets = [s for size in range(1, len(p) + 1) for s in itertools.combinations(range(len(p)), size)]
    bonferroni = {s: min(1.0, len(s) * min(p[i] for i in s)) for s in sets}
    return {"p": p, "adjusted": [max(bonferroni[s] for s in sets if i in s) for i in range(len(p))]}


def sign_flip(by_seed: list[float]) -> dict:
    test = stats.permutation_test(
        (by_seed,), np.mean, permutation_type="samples", n_resamples=np.inf, vectorized=False
    )
    return {"by_seed": by_seed, "p": test.pvalue}


def wilcoxon(by_seed: list[float]) -> dict:
    # Where sizes are equal, scipy's `exact` is not: then all permutations of signs, which leave zeros out.
    sizes = np.abs([d for d in by_seed if d != 0.0])
    plain = len(set(sizes)) == len(by_seed)
    method = "exact" if plain else stats.PermutationMethod(n_resamples=np.inf)
    kept = by_seed if plain else [d for d in by_seed if d != 0.0]
    return {"by_seed": by_seed, "p": stats.wilcoxon(kept, method=method).pvalue}


def bootstrap(values: list[float]) -> dict:
    result = stats.bootstrap(
        (values,), np.mean, n_resamples=999_999, batch=10_000, method="BCa", rng=np.random.default_rng(1)
    )
    interval = result.confidence_interval
    return {"values": values, "low": interval.low, "high": interval.high}


def effect_size(by_seed: list[float]) -> dict:
    freedom = len(by_seed) - 1
    correction = special.gamma(freedom / 2) / (np.sqrt(freedom / 2) * special.gamma((freedom - 1) / 2))
    return {"by_seed": by_seed, "g": np.mean(by_seed) / np.std(by_seed, ddof=1) * correction}


def student(freedom: float, level: float) -> dict:
    distance = stats.t.isf(level / 2, freedom)
    return {"freedom": freedom, "distance": distance, "farther_out": 2 * stats.t.sf(distance, freedom)}


def beyond(distance: float, freedom: float, noncentrality: float) -> float:
    below = stats.nct.cdf(-distance, freedom, noncentrality)
    # Of next to nothing scipy 1.17.1 gives NaN: it is less than either of these.
    if np.isnan(below) and min(stats.norm.sf(noncentrality), stats.t.sf(distance, freedom)) < 1e-10:
        below = 0.0
    return stats.nct.sf(distance, freedom, noncentrality) + below


def power(n: int, effect: float, level: float) -> float:
    return beyond(stats.t.isf(level / 2, n - 1), n - 1, effect * np.sqrt(n))


def seeds_needed(difference: float, sd: float, wanted: float, level: float) -> dict:
    seeds = next(n for n in itertools.count(2) if power(n, difference / sd, level) >= wanted)
    return {"difference": difference, "sd": sd, "power": wanted, "level": level, "seeds": seeds}


def detectable(n: int, sd: float, wanted: float, level: float) -> dict:
    lacks = lambda effect: power(n, effect, level) - wanted
    high = next(2.0**k for k in itertools.count() if lacks(2.0**k) > 0)
    effect = optimize.brentq(lacks, 1e-9, high, xtol=1e-13)
    return {"n": n, "sd": sd, "power": wanted, "level": level, "difference": effect * sd}


def references() -> dict:
    samples = list(SAMPLES.values())
    return {
        "student": [
            student(freedom, level)
            for freedom in (1, 2, 3, 4.7, 9, 29, 199, 9999)
            for level in (0.5, 0.1, 0.05, 0.01, 1e-4)
        ],
        "chi_squared": [
            {"freedom": freedom, "share": share, "quantile": stats.chi2.ppf(share, freedom)}
            for freedom in (2, 4, 7, 39)
            for share in (0.05, 0.5, 0.95)
        ],
        "paired_t": [paired_t(sample) for sample in samples],
        "unpaired_t": [
            unpaired_t(SAMPLES[a], SAMPLES[b])
            for a, b in (("two", "three"), ("five", "six"), ("ten", "skewed"), ("thirty", "two"))
        ],
        "holm": [
            holm([0.01, 0.04, 0.03, 0.005]),
            holm([0.02, 0.02, 0.9, 0.5, 0.001, 0.02]),
            holm([0.3, 0.6, 0.9]),
            holm([0.0, 1.0]),
        ],
        "sign_flip": [sign_flip(s) for s in [*samples[:-1], *TIES.values()]],
        "wilcoxon": [wilcoxon(s) for s in [*samples, *TIES.values()]],
        "bootstrap": [bootstrap(SAMPLES[name]) for name in ("ten", "skewed", "thirteen", "thirty")],
        "effect_size": [effect_size(sample) for sample in samples[1:]],
        "correlation": [
            {"first": first, "second": second, "r": stats.pearsonr(first, second).statistic}
            for first, second in (
                (SAMPLES["ten"], SAMPLES["skewed"][:10]),
                (SAMPLES["thirteen"], sorted(SAMPLES["thirteen"])),
                (SAMPLES["three"], SAMPLES["five"][:3]),
            )
        ],
        "noncentral_t": [
            {
                "distance": distance,
                "freedom": freedom,
                "noncentrality": noncentrality,
                "farther_out": beyond(distance, freedom, noncentrality),
            }
            for distance in (0.5, 2.0, 4.5, 12.7)
            for freedom in (1, 2, 4, 9, 30, 400)
            for noncentrality in (0.0, 0.4, 2.0, 5.0)
        ],
        "power": [
            {"n": n, "difference": d, "sd": sd, "level": level, "power": power(n, d / sd, level)}
            for n in (2, 3, 5, 10, 30, 100)
            for d, sd in ((0.5, 1.0), (0.5, 0.4), (1.0, 0.5))
            for level in (0.05, 0.01)
        ],
        "seeds_needed": [
            seeds_needed(d, sd, wanted, level)
            for d, sd in ((0.5, 0.05), (0.5, 0.3), (0.5, 0.5), (0.5, 1.0), (0.3, 1.7))
            for wanted in (0.5, 0.8, 0.95)
            for level in (0.05, 0.01)
        ],
        "detectable": [
            detectable(n, sd, wanted, level)
            for n, sd in ((2, 1.0), (3, 0.4), (5, 0.4), (10, 2.0), (100, 1.0))
            for wanted, level in ((0.8, 0.05), (0.9, 0.01))
        ],
    }


DEFAULT_LOOKS = [4, 6, 8, 10, 15, 20, 30, 40, 60, 80, 100, 150]
SHAPE = 0.4
ARMS = 8


def simulated(looks: list[int], studies: int, effect: float, rng: np.random.Generator) -> np.ndarray:
    """t statistics of `studies` at each look, of differences with standard deviation 1."""
    statistics = np.empty((studies, len(looks)))
    total, squares, seeds = np.zeros(studies), np.zeros(studies), 0
    for column, look in enumerate(looks):
        differences = rng.standard_normal((studies, look - seeds)) + effect
        total, squares, seeds = total + differences.sum(1), squares + (differences**2).sum(1), look
        error = np.sqrt((squares - total**2 / look) / (look - 1) / look)
        statistics[:, column] = total / look / error
    return statistics


def distances(looks: list[int], constant: float, shape: float) -> np.ndarray:
    """How far out t must be at each look."""
    looks = np.array(looks)
    level = stats.norm.sf(constant * (looks / looks[-1]) ** (shape - 0.5))
    return stats.t.isf(level, looks - 1)


def constant(statistics: np.ndarray, looks: list[int], shape: float, stopped: float) -> float:
    """The constant by which so many studies are stopped."""
    exceeds = lambda c: (statistics >= distances(looks, c, shape)).any(1).sum() - stopped
    return optimize.bisect(exceeds, 0.5, 10.0, xtol=1e-6)


def print_looks(studies: int = 8_000_000, at_once: int = 500_000) -> None:
    for end in range(2, len(DEFAULT_LOOKS) + 1):
        looks = DEFAULT_LOOKS[:end]
        rng = np.random.default_rng(end)
        # All that one of the chances asked for might stop, and more.
        least = stats.t.isf(0.1, np.array(looks) - 1)
        some = (simulated(looks, at_once, 0.0, rng) for _ in range(studies // at_once))
        statistics = np.concatenate([t[(np.abs(t) >= least).any(1)] for t in some])
        settled = constant(statistics, looks, SHAPE, LEVEL * studies)
        both = np.abs(statistics)
        different = [constant(both, looks, SHAPE, LEVEL / arms * studies) for arms in range(1, ARMS + 1)]
        row = ", ".join(f"{c:.4f}" for c in different)
        print(f"    Row {{ settled: {settled:.4f}, different: [{row}] }},", flush=True)


def print_shapes(studies: int = 400_000) -> None:
    rng = np.random.default_rng(1)
    for end in (4, 7, 11):
        looks = DEFAULT_LOOKS[:end]
        for shape in (0.0, 0.25, 0.4, 0.5):
            without = np.abs(simulated(looks, studies, 0.0, rng))
            needed = distances(looks, constant(without, looks, shape, LEVEL * studies), shape)
            cells = []
            for effect in (0.5, 1.0, 2.0):
                crossed = np.abs(simulated(looks, studies // 10, effect, rng)) >= needed
                last = np.where(crossed.any(1), crossed.argmax(1), len(looks) - 1)
                seeds, power = np.array(looks)[last].mean(), crossed.any(1).mean()
                cells.append(f"effect {effect}: {seeds:.1f} seeds, power {power:.2f}")
            print(f"up to {looks[-1]}, shape {shape}: {'; '.join(cells)}", flush=True)


def write_references() -> None:
    plain = lambda number: number.item()
    families = [
        f'"{name}": [\n' + ",\n".join(json.dumps(case, default=plain) for case in cases) + "\n]"
        for name, cases in references().items()
    ]
    (REFERENCE / "statistics.json").write_text("{\n" + ",\n".join(families) + "\n}\n")


if __name__ == "__main__":
    {(): write_references, ("looks",): print_looks, ("shapes",): print_shapes}[tuple(sys.argv[1:])]()
