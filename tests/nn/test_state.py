"""A module's state: torch's names, order and messages, out of torch and back, and through a file."""

import importlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import safetensors.flax
import safetensors.torch
import torch
from flax import nnx

from jax_impl import nn


def ours(seed=0):
    rngs = nnx.Rngs(seed)
    return nn.Sequential(
        nn.Linear(3, 4, rngs=rngs),
        nn.ModuleDict({"b": nn.Linear(4, 2, bias=False, rngs=rngs), "a": nn.Bilinear(2, 3, 1, rngs=rngs)}),
        nn.ModuleList([nn.Flatten(), nn.Identity(), nn.Identity()]),
        nn.ParameterList([jnp.ones(3), jnp.zeros((2, 2))]),
        nn.ParameterDict({"scale": jnp.ones(1)}),
    )


def theirs():
    t = torch.nn
    return t.Sequential(
        t.Linear(3, 4),
        t.ModuleDict({"b": t.Linear(4, 2, bias=False), "a": t.Bilinear(2, 3, 1)}),
        t.ModuleList([t.Flatten(), t.Identity(), t.Identity()]),
        t.ParameterList([torch.ones(3), torch.zeros(2, 2)]),
        t.ParameterDict({"scale": torch.ones(1)}),
    )


def equal(left, right):
    assert list(left) == list(right)
    return all(np.array_equal(np.asarray(left[name]), right[name].numpy()) for name in left)


def test_names_and_their_order_are_torch_s_before_and_after_a_split():
    names = [name for name, _ in theirs().named_parameters()]
    model = ours()
    assert [name for name, _ in model.named_parameters()] == names
    merged = nnx.merge(*nnx.split(model))
    assert [name for name, _ in merged.named_parameters()] == names
    assert [name for name, _ in model.named_modules()] == [name for name, _ in theirs().named_modules()]


def test_a_state_of_torch_s_loads_as_it_is_and_goes_back_bit_for_bit():
    module, model = theirs(), ours()
    assert str(nn.load_state_dict(model, module.state_dict())) == "<All keys matched successfully>"
    assert equal(nn.state_dict(model), module.state_dict())
    back = theirs()
    back.load_state_dict({name: torch.from_numpy(np.array(value)) for name, value in model.state_dict().items()})
    assert equal(nn.state_dict(model), back.state_dict())


def test_a_safetensors_file_loads_by_its_path(tmp_path):
    module, model = theirs(), ours()
    safetensors.torch.save_file(module.state_dict(), tmp_path / "net.safetensors")
    nn.load_state_dict(model, tmp_path / "net.safetensors")
    assert equal(nn.state_dict(model), module.state_dict())


def test_values_take_the_dtype_that_the_module_has():
    layer = nn.Linear(3, 2, dtype=jnp.bfloat16, rngs=nnx.Rngs(0))
    module = torch.nn.Linear(3, 2).to(torch.bfloat16)
    layer.load_state_dict(module.state_dict())
    assert layer.weight[...].dtype == jnp.bfloat16
    assert np.array_equal(np.asarray(layer.weight[...], np.float32), module.weight.detach().float().numpy())
    wide = nn.Linear(3, 2, rngs=nnx.Rngs(0))
    wide.load_state_dict({name: value.double() for name, value in torch.nn.Linear(3, 2).state_dict().items()})
    assert wide.weight[...].dtype == jnp.float32


def test_a_weight_norm_s_older_names_load_as_torch_loads_them():
    old = torch.nn.utils.weight_norm  # deprecated, and what wrote the checkpoints that are meant
    with pytest.warns(FutureWarning, match="weight_norm"):
        written = old(torch.nn.Linear(3, 2)).state_dict()
    assert list(written) == ["bias", "weight_g", "weight_v"]
    theirs = torch.nn.utils.parametrizations.weight_norm(torch.nn.Linear(3, 2))
    theirs.load_state_dict(dict(written))
    model = nn.Sequential(nn.weight_norm(nn.Linear(3, 2, rngs=nnx.Rngs(0))))
    model.load_state_dict({f"0.{name}": value for name, value in written.items()})
    assert equal(nn.state_dict(model[0]), theirs.state_dict())
    with pytest.raises(RuntimeError, match="Missing key"):  # half of it is nothing
        model.load_state_dict({f"0.{name}": value for name, value in written.items() if name != "weight_g"})


STATES = {
    "missing": lambda state: {name: value for name, value in state.items() if name != "1.b.weight"},
    "unexpected": lambda state: state | {"1.b.bias": torch.ones(2), "x": torch.ones(1), "7.weight": torch.ones(1)},
    "size": lambda state: state | {"0.weight": torch.ones(4, 4), "3.1": torch.ones(5)},
    "all three": lambda state: {"0.weight": torch.ones(2), "y": torch.ones(1)},
}


OF_ANY = {
    "renamed": lambda state: {f"module.{name}" if "1" in name else name: value for name, value in state.items()},
    "truncated": lambda state: {name: value[:1] for name, value in state.items() if value.ndim},
}


@pytest.mark.parametrize("change", STATES)
def test_a_state_that_does_not_fit_is_refused_in_torch_s_words_and_nothing_is_written(change):
    module, model = theirs(), ours()
    state, before = STATES[change](dict(module.state_dict())), nn.state_dict(model)
    with pytest.raises(RuntimeError) as wanted:
        module.load_state_dict(state)
    with pytest.raises(RuntimeError) as got:
        nn.load_state_dict(model, state)
    assert str(got.value) == str(wanted.value)
    assert all(jnp.array_equal(before[name], value) for name, value in nn.state_dict(model).items())


ARCHITECTURES = {
    "resnet": ("ResNet", {"num_classes": 3, "layers": (1, 1, 1, 1), "width": 2, "stem": "small"}),
    "gpt2": ("GPT2", {"vocab_size": 7, "n_positions": 5, "n_embd": 4, "n_layer": 1, "n_head": 2}),
    "tagger": ("Tagger", {"vocabulary": 9, "tags": 3, "embedding_dim": 4, "hidden_dim": 2, "num_layers": 2}),
}


@pytest.mark.parametrize("pair", ARCHITECTURES)
def test_an_architecture_takes_its_torch_twin_s_file_and_speaks_as_torch_where_it_does_not_fit(pair, tmp_path):
    name, arguments = ARCHITECTURES[pair]
    twin = getattr(importlib.import_module(f"torch_impl.{pair}"), name)
    port = getattr(importlib.import_module(f"jax_impl.{pair}"), name)
    module = twin(**arguments)
    model = nnx.eval_shape(lambda: port(**arguments, rngs=nnx.Rngs(0)))
    file = tmp_path / "net.safetensors"
    safetensors.torch.save_file(module.state_dict(), file)
    assert str(model.load_state_dict(file)) == "<All keys matched successfully>"
    assert equal(nn.state_dict(model), module.state_dict())
    safetensors.flax.save_file(nn.state_dict(model), file)
    back = twin(**arguments)
    back.load_state_dict(safetensors.torch.load_file(file))
    assert equal(nn.state_dict(model), back.state_dict())
    for state in (change(module.state_dict()) for change in OF_ANY.values()):
        with pytest.raises(RuntimeError) as wanted:
            module.load_state_dict(state)
        with pytest.raises(RuntimeError) as got:
            model.load_state_dict(state)
        assert str(got.value) == str(wanted.value)


def test_without_strict_the_rest_is_loaded_and_what_is_left_is_told():
    module, model = theirs(), ours()
    state = STATES["unexpected"](STATES["missing"](dict(module.state_dict())))
    found, wanted = nn.load_state_dict(model, state, strict=False), module.load_state_dict(state, strict=False)
    assert (found.missing_keys, found.unexpected_keys) == (wanted.missing_keys, wanted.unexpected_keys)
    assert jnp.array_equal(nn.state_dict(model)["0.weight"], jnp.asarray(state["0.weight"].numpy()))


def test_a_tied_parameter_has_both_names_in_the_state_and_one_among_the_parameters():
    rngs = nnx.Rngs(0)
    model = nn.Sequential(nn.Linear(3, 3, rngs=rngs), nn.Linear(3, 3, rngs=rngs))
    model[1].weight = model[0].weight
    assert [name for name, _ in model.named_parameters()] == ["0.weight", "0.bias", "1.bias"]
    assert list(model.state_dict()) == ["0.weight", "0.bias", "1.weight", "1.bias"]


def test_what_was_none_becomes_a_layer_or_a_parameter_later_under_torch_s_names_in_torch_s_order():
    def names(t, layer, parameter):
        module = t.Module()
        module.late, module.early = None, layer()
        module.register_parameter("scale", None)
        module.register_parameter("shift", parameter())
        module.late, module.scale = layer(), parameter()
        known = list(module.state_dict())
        module.late = None
        return known, list(module.state_dict()), module

    *ours, module = names(nn, lambda: nn.Linear(2, 2, rngs=nnx.Rngs(0)), lambda: nn.Parameter(jnp.ones(1)))
    *theirs, _ = names(torch.nn, lambda: torch.nn.Linear(2, 2), lambda: torch.nn.Parameter(torch.ones(1)))
    assert sorted(ours[0]) == sorted(theirs[0])
    assert ours == theirs
    module.late = nn.Identity()
    assert list(nnx.merge(*nnx.split(module)).state_dict()) == theirs[1]


def test_a_buffer_that_is_not_persistent_stays_out_and_no_optimizer_takes_it():
    module = nn.Module()
    module.register_parameter("weight", nn.Parameter(jnp.ones(2)))
    module.register_buffer("mask", jnp.ones(2), persistent=False)
    module.register_buffer("count", jnp.array(3))
    assert list(module.state_dict()) == ["weight", "count"]
    assert [name for name, _ in module.named_buffers()] == ["mask", "count"]
    assert list(nnx.state(module, nnx.Param)) == ["weight"]


def test_flax_s_own_layers_in_a_tree_have_torch_s_names_and_layouts():
    model = nn.Sequential(nnx.Linear(3, 4, rngs=nnx.Rngs(0)), nn.Linear(4, 2, rngs=nnx.Rngs(1)))
    module = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Linear(4, 2))
    nn.load_state_dict(model, module.state_dict())
    x = np.ones((2, 3), np.float32)
    assert np.abs(np.asarray(model(x)) - module(torch.from_numpy(x)).detach().numpy()).max() < 1e-6
    assert list(model[0].kernel.shape) == [3, 4]


def test_the_mode_reaches_every_module_also_through_flax_s_own():
    class Net(nnx.Module):
        def __init__(self):
            self.inner = ours()
            self.drop = nnx.Dropout(0.5)

    net = Net()
    net.eval()
    assert not any(module.training for module in net.inner.modules())
    model = nn.Sequential(nnx.Dropout(0.5), nn.Identity())
    assert model.eval() is model
    assert (model[0].deterministic, model[1].training) == (True, False)
    assert (model.train()[0].deterministic, model[1].training) == (False, True)
    assert (nnx.view(model, deterministic=True)[1].training, model[1].training) == (False, True)


@pytest.mark.parametrize("index", [0, 1, 2])
def test_a_module_prints_as_torch_s(index):
    assert repr(ours()[index]) == repr(theirs()[index])


def test_containers_change_as_torch_s_do():
    def changed(t, layer, names):
        stack = t.ModuleList([t.Identity(), t.Flatten()])
        stack.append(layer())
        stack.insert(1, t.Identity())
        del stack[0]
        stack += [t.Flatten()]
        table = t.ModuleDict({"x": layer(), "y": t.Identity()})
        table["z"] = t.Flatten()
        table.pop("x")
        chain = t.Sequential(layer(), t.Identity(), layer())
        return [names(m) for m in (stack, stack[1:], table, chain[::2], chain + t.Sequential(layer()))]

    def names(module):
        return [name for name, _ in module.named_parameters()], [type(m).__name__ for m in module.children()]

    assert changed(nn, lambda: nn.Linear(2, 2, rngs=nnx.Rngs(0)), names) == changed(
        torch.nn, lambda: torch.nn.Linear(2, 2), names
    )
    with pytest.raises(TypeError):
        nn.ModuleList([3])
    with pytest.raises(KeyError):
        nn.ModuleDict({"train": nn.Identity()})
    with pytest.raises(IndexError):
        ours()[9]


def test_a_state_loads_inside_of_a_compiled_function():
    @jax.jit
    def output(state, x):
        model = nnx.eval_shape(lambda: nn.Linear(3, 2, rngs=nnx.Rngs(0)))
        model = nnx.clone(model)
        nn.load_state_dict(model, state)
        return model(x)

    module = torch.nn.Linear(3, 2)
    state = {name: jnp.asarray(value.numpy()) for name, value in module.state_dict().items()}
    assert output(state, jnp.ones((1, 3))).shape == (1, 2)
