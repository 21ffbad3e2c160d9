"""Value vectors in the basis of tokens, against brute loops."""

import numpy as np
import pytest
import torch

from tests.steering.tiny import CENTRES, INNER, LAYERS, NUM_BINS, WIDTH, WORDS
from workbench.core.anatomy import ActionAxis, Readout, Stack
from workbench.core.errors import InvalidInput, UnknownName
from workbench.core.types import ACTION_NAMES
from workbench.steering.projection import action_directions, build_table, project, table_of
from workbench.steering.sites import flat_id, neuron_of, readout_weight, value_vectors


@pytest.fixture(scope="module")
def table(policy):
    return build_table(policy.module, policy.sites, "decoder", k=6)


def test_top_tokens_equal_those_of_a_brute_loop(policy, table):
    weight = readout_weight(policy.module, table.readout)
    for flat in range(0, LAYERS * INNER, 7):
        layer, unit = neuron_of(table.stack, flat)
        column = policy.module.decoder.layers[layer].mlp.down_proj.weight[:, unit]
        logits = [float(column.detach() @ row) for row in weight]
        best = sorted(range(len(logits)), key=lambda i: -logits[i])[:6]
        assert table.top.ids[flat].tolist() == best
        assert np.allclose(table.top.scores[flat], [logits[i] for i in best], atol=1e-5)


def test_blocks_of_rows_do_not_change_the_projection(monkeypatch, policy):
    values, weight = value_vectors(policy.module, policy.sites, "decoder", 0), readout_weight(policy.module, policy.sites.stacks[0].readout)
    whole = project(values, weight)
    monkeypatch.setattr("workbench.steering.projection._BLOCK_ELEMENTS", 5 * len(weight))
    assert np.array_equal(whole.ids, project(values, weight).ids)


def test_flat_ids_survive_the_round_trip(policy):
    stack = policy.sites.stacks[0]
    places = [neuron_of(stack, flat) for flat in range(LAYERS * INNER)]
    assert [flat_id(stack, *p) for p in places] == list(range(LAYERS * INNER))
    assert len(set(places)) == LAYERS * INNER
    for bad in (-1, LAYERS * INNER):
        with pytest.raises(InvalidInput, match="neuron"):
            neuron_of(stack, bad)


def test_push_is_the_slope_of_the_bins_logits_over_their_centres(policy, table):
    weight = readout_weight(policy.module, table.readout).double().numpy()
    values = value_vectors(policy.module, policy.sites, "decoder", 1).double().numpy()
    rows = weight[len(WORDS) + 2 * NUM_BINS : len(WORDS) + 3 * NUM_BINS]
    slopes = [np.polyfit(CENTRES, rows @ v, 1)[0] for v in values]
    half = (CENTRES[-1] - CENTRES[0]) / 2
    assert np.allclose(table.push("dz")[INNER : 2 * INNER], half * np.array(slopes), atol=1e-5)


def test_push_of_a_continuous_readout_is_its_row_turned_towards_larger_actions():
    weight = torch.randn(4, 6)
    readout = Readout("head", axes=(ActionAxis("dx", 2, -1.0), ActionAxis("dy", 0)))
    assert np.allclose(action_directions(readout, weight), [-weight[2].numpy(), weight[0].numpy()])


def test_search_by_dimension_and_sign_orders_by_push(table):
    up, down = table.search(dimension="dz", limit=5), table.search(dimension="dz", sign=-1, limit=5)
    order = np.argsort(-table.push("dz"))
    assert list(up) == order[:5].tolist() and list(down) == order[::-1][:5].tolist()
    with pytest.raises(UnknownName, match="dz"):
        table.search(dimension="dw")


def test_search_by_word_and_layer_finds_exactly_the_neurons_that_say_it(table):
    expected = {
        f for f in range(LAYERS * INNER) if WORDS.index("lift") in table.top.ids[f] and f // INNER in (0, 2)
    }  # fmt: skip
    found = table.search(word="LIFT", layers=(0, 2), limit=1000)
    assert set(found) == expected and len(found) > 0
    assert table.search(word="no such word") == ()


def test_a_row_prints_words_and_decoded_action_values(table):
    flat = next(f for f in range(LAYERS * INNER) if table.top.ids[f, 0] == len(WORDS) + 3 * NUM_BINS - 1)
    row = table.row(flat)
    assert row.tokens[0][0] == "dz=+0.030 m"
    assert set(row.pushes) == set(ACTION_NAMES)
    assert (row.layer, row.unit) == divmod(flat, INNER)


def test_action_share_counts_action_tokens_layer_by_layer(table):
    shares = table.action_shares()
    counted = [np.mean([i >= len(WORDS) for i in table.top.ids[layer * INNER : (layer + 1) * INNER].ravel()]) for layer in range(LAYERS)]
    assert np.allclose(shares, counted)


def test_layers_are_taken_one_at_a_time_with_progress():
    stack = Stack("decoder", ("a", "b", "c"), WIDTH, INNER, readout=Readout("t"))
    alive, done = [], []

    def layers():
        for i in range(3):
            alive.append(i)
            assert len(done) == i, "a layer is asked for only when the one before is finished"
            yield torch.randn(INNER, WIDTH)

    table_of(stack, layers(), torch.randn(50, WIDTH), progress=done.append)
    assert alive == [0, 1, 2] and done == pytest.approx([1 / 3, 2 / 3, 1])
    with pytest.raises(InvalidInput, match="layers"):
        table_of(stack, iter([torch.randn(INNER, WIDTH)]), torch.randn(50, WIDTH))
