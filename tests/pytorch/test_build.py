"""The generated module: what it computes, holds and can be used with."""

import copy

import pytest
import torch
from torch import fx, nn

import cnnstat
from cnnstat.errors import ModelError, UsageError
from cnnstat.ir.builder import Builder
from cnnstat.ir.graph import Graph
from cnnstat.ir.shapes import infer_shapes
from cnnstat.ir.tensor import TensorSpec
from cnnstat.memory.lowering import overwriting
from cnnstat.ops import Add, BatchNorm2d, Conv2d, Input, Linear, Opaque, ReLU, Tanh
from cnnstat.pytorch.build import TwoForms, build_module, submodule_names

IMAGE = {"input": TensorSpec((1, 3, 8, 8))}


def same(channels: int) -> Conv2d:
    return Conv2d(channels, (3, 3), padding=(1, 1))


def small() -> Graph:
    """A convolution, and a residual unit whose shortcut reads the same activation."""
    b = Builder("small")
    x = b.add("conv1", same(4), b.add("input", Input((3, 8, 8))))
    x = b.add("conv1/relu", ReLU(), b.add("conv1/bn", BatchNorm2d(), x))
    with b.scope("unit.1"):
        y = b.add("3x3", same(4), x)
        y = b.add("3x3/relu", ReLU(), y)
        y = b.add("add", Add(), x, y)
    return b.graph(b.add("unit.1/relu", ReLU(), y))


def test_the_forward_pass_is_generated_code_over_named_submodules() -> None:
    module = build_module(small(), IMAGE)
    assert isinstance(module, fx.GraphModule)
    assert [name for name, _ in module.named_modules()][1:] == [
        "conv1",
        "conv1_bn",
        "conv1_relu",
        "unit_1",
        "unit_1.3x3",
        "unit_1.3x3_relu",
        "unit_1.relu",
    ]
    assert "unit_1_add = conv1_relu + unit_1_3x3_relu" in module.code
    assert "unit_1.3x3.weight" in module.state_dict()


def test_it_computes_what_the_layers_compute() -> None:
    module = build_module(small(), IMAGE).eval()
    x = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    get = module.get_submodule
    stem = torch.relu(get("conv1_bn")(get("conv1")(x)))
    expected = torch.relu(stem + torch.relu(get("unit_1.3x3")(stem)))
    assert torch.equal(module(x), expected)


def test_names_stay_different_and_off_the_module_s_own() -> None:
    b = Builder("names")
    x = b.add("input", Input((3, 8, 8)))
    for name in ("a/b", "a.b", "a_b", "forward", "training", "weird name", "a/b/relu", "a/b_relu"):
        x = b.add(name, ReLU(), x)
    names = submodule_names(b.graph(x))
    assert len(set(names)) == len(names)
    assert {"forward_", "training_", "weird_name"} <= set(names)
    out = build_module(b.graph(x), IMAGE)(torch.full((1, 3, 8, 8), -1.0))
    assert torch.equal(out, torch.zeros(1, 3, 8, 8))


def test_a_relu_overwrites_only_what_nobody_else_reads() -> None:
    b = Builder("in place")
    x = b.add("input", Input((3, 8, 8)))
    first = b.add("first", ReLU(), x)  # writes over the caller's tensor if it may: it may not
    shared = b.add("shared", same(3), first)
    one = b.add("one", ReLU(), shared)  # its input is read again below
    own = b.add("own", ReLU(), b.add("conv", same(3), one))
    saved = b.add("saved", ReLU(), b.add("tanh", Tanh(), own))  # tanh's backward reads its result
    graph = b.graph(b.add("add", Add(), shared, saved))
    shaped = infer_shapes(graph, IMAGE)
    assert [graph.nodes[index].name for index in overwriting(shaped)] == ["own"]
    x_given = torch.randn(1, 3, 8, 8)
    before = x_given.clone()
    build_module(graph, IMAGE)(x_given).sum().backward()
    assert torch.equal(x_given, before)


def test_a_seed_gives_the_same_weights_and_leaves_the_global_state() -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    one, two, other = (build_module(small(), IMAGE, seed=seed) for seed in (0, 0, 1))
    fresh, again = (build_module(small(), IMAGE, seed=None) for _ in range(2))
    assert torch.equal(torch.get_rng_state(), before)
    key = "unit_1.3x3.weight"
    assert torch.equal(one.state_dict()[key], two.state_dict()[key])
    assert not torch.equal(one.state_dict()[key], other.state_dict()[key])
    assert not torch.equal(fresh.state_dict()[key], again.state_dict()[key])


def test_the_meta_device_allocates_nothing_and_still_tells_shapes() -> None:
    module = cnnstat.build("vgg19", device="meta")
    assert all(parameter.is_meta for parameter in module.parameters())
    assert sum(parameter.numel() for parameter in module.parameters()) == 143_667_240
    assert module(torch.empty(2, 3, 224, 224, device="meta")).shape == (2, 1000)


def test_dtype_input_and_classes_are_the_callers() -> None:
    module = cnnstat.build("resnet20-cifar", dtype="bfloat16", classes=7, input=(40, 40)).eval()
    assert {p.dtype for p in module.parameters()} == {torch.bfloat16}
    assert module(torch.zeros(3, 3, 40, 40, dtype=torch.bfloat16)).shape == (3, 7)


def test_weights_travel_by_state_dict_and_deep_copies_are_their_own() -> None:
    x = torch.randn(1, 3, 8, 8)
    one, two = (build_module(small(), IMAGE, seed=seed).eval() for seed in (0, 1))
    two.load_state_dict(one.state_dict())
    assert torch.equal(one(x), two(x))
    third = copy.deepcopy(one)
    with torch.no_grad():
        one.get_parameter("conv1.weight").zero_()
    assert torch.equal(third(x), two(x))
    assert third.double()(x.double()).dtype == torch.float64


def test_tied_nodes_share_one_parameter() -> None:
    b = Builder("tied")
    x = b.add("input", Input((3, 8, 8)))
    first = b.add("first", same(3), x)
    graph = b.graph(b.add("second", same(3), first, tied_to=first))
    module = build_module(graph, IMAGE)
    assert len(list(module.parameters())) == 2
    assert module.get_submodule("first").weight is module.get_submodule("second").weight
    module(torch.randn(1, 3, 8, 8)).sum().backward()


def test_tied_nodes_must_have_the_same_tensors() -> None:
    b = Builder("tied")
    first = b.add("first", same(4), b.add("input", Input((3, 8, 8))))
    graph = b.graph(b.add("second", same(4), first, tied_to=first))
    with pytest.raises(ModelError, match="second shares the weights of first, but weight is"):
        build_module(graph, IMAGE)


def test_what_has_no_rule_cannot_be_built() -> None:
    b = Builder("opaque")
    x = b.add("input", Input((3, 8, 8)))
    graph = b.graph(b.add("x", Opaque("aten::fft", (TensorSpec((1, 3, 8, 8)),)), x))
    with pytest.raises(ModelError, match="aten::fft"):
        build_module(graph, IMAGE)


def test_bad_arguments() -> None:
    with pytest.raises(UsageError, match="unknown dtype"):
        cnnstat.build("vgg16", dtype="float23")
    with pytest.raises(UsageError, match="unknown device 'cuba'"):
        cnnstat.build("lenet5", device="cuba")


def test_auxiliary_heads_run_in_training_alone() -> None:
    module = cnnstat.build("googlenet-aux", classes=5, device="meta")
    assert isinstance(module, TwoForms)
    x = torch.empty(2, 3, 224, 224, device="meta")
    outputs = module(x)
    assert [tuple(out.shape) for out in outputs] == [(2, 5), (2, 5), (2, 5)]
    sum(out.pow(2).sum() for out in outputs).backward()
    assert all(p.grad is not None for p in module.parameters())
    ran = []
    for name, part in module.named_modules():
        if "aux" in name:
            part.register_forward_hook(lambda *_: ran.append(1))
    assert module.eval()(x).shape == (2, 5)
    assert ran == []
    assert len(module.state_dict()) == len(
        {id(t) for t in module.state_dict(keep_vars=True).values()}
    )


def test_both_forms_have_the_weights_of_the_plain_model() -> None:
    plain, full = (cnnstat.build(name, device="meta") for name in ("googlenet", "googlenet-aux"))
    names = set(plain.state_dict())
    assert names < set(full.state_dict())


def test_torch_compile_sees_one_graph() -> None:
    x = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    module = cnnstat.build("resnet20-cifar").eval()
    with torch.inference_mode():
        compiled = torch.compile(module, fullgraph=True, backend="aot_eager")
        torch.testing.assert_close(compiled(x), module(x))


def test_torch_export_keeps_the_names_of_the_weights() -> None:
    x = (torch.randn(1, 1, 32, 32),)
    module = cnnstat.build("lenet5").eval()
    program = torch.export.export(module, x)
    assert set(program.state_dict) == set(module.state_dict())
    torch.testing.assert_close(program.module()(*x), module(*x))


def test_training_moves_every_weight() -> None:
    module = cnnstat.build("lenet5")
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1)
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    module(torch.randn(4, 1, 32, 32)).mean().backward()
    optimizer.step()
    after = module.state_dict()
    trained = {name for name, _ in module.named_parameters()}
    assert {name for name in before if not torch.equal(before[name], after[name])} == trained


def test_the_deconvnet_projects_back_to_pixels() -> None:
    module = cnnstat.build("zfnet-deconv").eval()
    pixels = module(torch.randn(1, 3, 224, 224))
    assert pixels.shape == (1, 3, 224, 224)
    assert pixels.abs().sum() > 0


def test_a_linear_layer_of_a_sequence() -> None:
    b = Builder("sequence")
    graph = b.graph(b.add("fc", Linear(4), b.add("input", Input((5, 6)))))
    module = build_module(graph, {"input": TensorSpec((2, 5, 6))})
    assert isinstance(module.get_submodule("fc"), nn.Linear)
    assert module(torch.zeros(2, 5, 6)).shape == (2, 5, 4)
