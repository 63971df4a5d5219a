from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from math import sqrt
from random import Random

import pytest

from jukinet_mq import data
from jukinet_mq.errors import InvariantError
from jukinet_mq.load.chance import Urn
from jukinet_mq.load.figures import Journey, Season, figures
from jukinet_mq.load.places import populated_areas
from jukinet_mq.messages import ChangeReason
from jukinet_mq.nodes import AreaKind, directory

COUNT = 50_000


@pytest.fixture(scope="module")
def journeys() -> list[Journey]:
    """50,000 moves."""
    random = Random(2025)
    return [figures().journey(random) for _ in range(COUNT)]


def surprise(observed: Counter[str], weights: Mapping[str, float]) -> float:
    """Return how many standard deviations chi-square lies above its mean.

    Cells that expect fewer than five are put together, as the test demands.
    """
    drawn, total = observed.total(), sum(weights.values())
    cells: list[tuple[float, float]] = []
    rest_seen = rest_expected = 0.0
    for name, weight in weights.items():
        expected = weight / total * drawn
        if expected < 5:
            rest_seen, rest_expected = rest_seen + observed[name], rest_expected + expected
        else:
            cells.append((observed[name], expected))
    cells.append((rest_seen, max(rest_expected, 1)))
    chi_square = sum((seen - expected) ** 2 / expected for seen, expected in cells)
    freedom = len(cells) - 1
    return (chi_square - freedom) / sqrt(2 * freedom)


def test_moves_follow_the_matrix(journeys: list[Journey]) -> None:
    """Pairs of prefectures come as often as in 2025."""
    seen = Counter(f"{j.origin.prefecture}>{j.destination.prefecture}" for j in journeys)
    matrix = {f"{o}>{d}": float(n) for o, d, n, _ in data.rows("od_prefecture_2025")}

    assert abs(surprise(seen, matrix)) < 4


def test_matrix_that_is_another_would_be_noticed(journeys: list[Journey]) -> None:
    """The tolerance is no blank cheque: the matrix turned round does not pass."""
    seen = Counter(f"{j.destination.prefecture}>{j.origin.prefecture}" for j in journeys)
    matrix = {f"{o}>{d}": float(n) for o, d, n, _ in data.rows("od_prefecture_2025")}

    assert surprise(seen, matrix) > 6


@pytest.mark.parametrize("prefecture", ["13", "27", "01", "31"])
def test_arrivals_follow_the_municipal_flows(prefecture: str, journeys: list[Journey]) -> None:
    """Who comes from another prefecture goes where most went in 2024."""
    seen = Counter(
        j.destination.code
        for j in journeys
        if j.destination.prefecture == prefecture != j.origin.prefecture
    )
    flows = {
        area.code: float(area.moves_in_domestic)
        for area in populated_areas(directory())
        if area.prefecture == prefecture
    }

    assert abs(surprise(seen, flows)) < 4


def test_moves_end_elsewhere(journeys: list[Journey]) -> None:
    """Nobody moves from an area to itself; wards and municipalities only, never a city of wards."""
    kinds = {area.kind for journey in journeys for area in journey}

    assert all(journey.origin.code != journey.destination.code for journey in journeys)
    assert kinds.isdisjoint({AreaKind.PREFECTURE, AreaKind.DESIGNATED_CITY})
    assert AreaKind.WARD in kinds


def test_small_and_large_places_both_take_part(journeys: list[Journey]) -> None:
    """Hot queues and nearly idle ones: a large part of all nodes within 50,000 moves."""
    nodes = Counter(directory().route(journey.destination.code).code for journey in journeys)

    assert len(nodes) > 1_400
    assert nodes.most_common(1)[0][1] > 1_000


@pytest.mark.parametrize(
    ("reason", "figure"),
    [
        (ChangeReason.BIRTH, "births"),
        (ChangeReason.DEATH, "deaths"),
        (ChangeReason.OVERSEAS_MOVE_IN_ETC, "moves_in_overseas"),
        (ChangeReason.OVERSEAS_MOVE_OUT, "moves_out_overseas"),
        (ChangeReason.MOVE_WITHIN, "population"),
    ],
)
def test_changes_happen_at_municipal_rates(reason: ChangeReason, figure: str) -> None:
    """Each reason is drawn where its own figures say."""
    random = Random(7)
    seen = Counter(figures().place(reason, random).code for _ in range(30_000))
    rates = {area.code: float(getattr(area, figure)) for area in populated_areas(directory())}

    assert abs(surprise(seen, rates)) < 4


def test_yearly_figures_are_the_published_ones() -> None:
    """Adds, deletes and moves add up to the nation's year."""
    yearly = figures().yearly

    assert yearly(ChangeReason.BIRTH) == 710_427
    assert yearly(ChangeReason.DEATH) == 1_608_923
    assert figures().movers == 5_190_547
    assert sum(map(yearly, ChangeReason)) == pytest.approx(20.4e6, rel=0.01)
    added = (
        ChangeReason.EX_OFFICIO_ADD,
        ChangeReason.EX_OFFICIO_ADD_NATURALIZATION,
        ChangeReason.EX_OFFICIO_ADD_NATIONALITY_LOSS,
    )
    assert sum(map(yearly, added)) == 58_910


def test_march_has_three_times_the_moves_of_january() -> None:
    """Seasons scale the flows by the published shares of the months."""
    march, january = figures(Season.of(3)), figures(Season.of(1))

    assert march.movers / january.movers == pytest.approx(18.57 / 5.96, rel=0.01)
    year = [Season.of(month) for month in range(1, 13)]
    assert sum(season.between_prefectures for season in year) / 12 == pytest.approx(1, abs=0.01)


def test_urn_draws_by_weight() -> None:
    """What weighs nothing never comes; the rest comes as often as it weighs."""
    random = Random(1)
    urn = Urn({"a": 1, "b": 0, "c": 3}.items())
    drawn = Counter(urn.draw(random) for _ in range(10_000))

    assert set(drawn) == {"a", "c"}
    assert drawn["c"] / drawn["a"] == pytest.approx(3, rel=0.1)


def test_urn_of_nothing_is_refused() -> None:
    """An empty urn is a broken table, not an endless search."""
    with pytest.raises(InvariantError, match="nothing to draw from"):
        Urn({"a": 0}.items())
