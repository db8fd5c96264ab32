from howdah.core.turns import Share, Turns


def start(turns: Turns[str], shares: dict[str, Share], times: int) -> list[str]:
    """Who starts, if everybody always waits."""
    started: list[str] = []
    for _ in range(times):
        name = min(shares, key=lambda each: (shares[each].tag, each))
        turns.serve(shares[name])
        started.append(name)
    return started


def test_groups_of_equal_weight_take_turns() -> None:
    turns = Turns[str]()
    shares = {name: turns.join(name, 1.0) for name in "abc"}
    assert "".join(start(turns, shares, 6)) == "abcabc"


def test_weights_are_shares() -> None:
    turns = Turns[str]()
    shares = {"a": turns.join("a", 3.0), "b": turns.join("b", 1.0)}
    started = start(turns, shares, 400)
    assert started.count("a") == 300


def test_a_newcomer_begins_now_and_not_at_the_beginning() -> None:
    turns = Turns[str]()
    shares = {name: turns.join(name, 1.0) for name in "ab"}
    start(turns, shares, 100)
    shares["c"] = turns.join("c", 1.0)
    started = start(turns, shares, 30)
    assert started.index("c") < 3
    assert started.count("c") <= 11


def test_a_newcomer_does_not_go_before_who_waits_in_the_same_round() -> None:
    turns = Turns[str]()
    shares = {name: turns.join(name, 1.0) for name in "ab"}
    assert start(turns, shares, 3) == ["a", "b", "a"]
    shares["c"] = turns.join("c", 1.0)
    assert start(turns, shares, 3) == ["b", "c", "a"]


def test_who_leaves_and_comes_back_gains_nothing() -> None:
    turns = Turns[str]()
    shares = {name: turns.join(name, 1.0) for name in "ab"}
    turns.serve(shares["a"])
    turns.leave(shares["a"])
    turns.sweep()
    assert turns.join("a", 1.0) is shares["a"]
    assert start(turns, shares, 1) == ["b"]


def test_who_was_held_up_has_one_turn_at_once_and_no_credit() -> None:
    turns = Turns[str]()
    shares = {name: turns.join(name, 1.0) for name in "ab"}
    for _ in range(1000):
        turns.serve(shares["b"])
    started = start(turns, shares, 20)
    assert started[0] == "a"
    assert started.count("a") <= 11


def test_several_lines_of_a_group_are_one_group() -> None:
    turns = Turns[str]()
    assert turns.join("a", 1.0) is turns.join("a", 2.0)
    shares = {"a": turns.join("a", 1.0), "b": turns.join("b", 1.0)}
    assert start(turns, shares, 100).count("a") == 50


def test_groups_that_are_away_are_forgotten() -> None:
    turns = Turns[str]()
    shares = [turns.join(str(number), 1.0) for number in range(100)]
    for share in shares[1:]:
        turns.leave(share)
    turns.sweep()
    assert len(turns) == 1
    turns.leave(shares[0])
    turns.sweep()
    assert len(turns) == 0
