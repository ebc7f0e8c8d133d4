"""Compare models of other people's libraries with PyTorch: parameters, MACs, no change.

Run by hand in an environment of its own, which has the libraries and one PyTorch:

    python tests/compat/libraries.py -o samples/libraries.csv [--only SUBSTRING] [--limit SECONDS]

Every model runs in a process of its own with a limit of time; a second run goes on where the table
ends. Nothing is downloaded: models are built without weights, configurations are written here.
MACs must equal half of what FlopCounterMode counts, attention taken as its products; where it has
no rule for an operator, the difference must be that operator's (``UNCOUNTED``).
"""

from __future__ import annotations

import argparse
import csv
import multiprocessing
import os
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

COLUMNS = (
    *("library", "version", "torch", "task", "model", "input", "params", "module_params"),
    *("macs", "counted_macs", "status", "unchanged", "seconds", "verdict", "notes"),
    "operators_without_rule",
)
UNCOUNTED = dict.fromkeys(
    ("LSTM", "GRU", "RNN", "deform_conv2d", "Bilinear"), "no rule in FlopCounterMode"
)
"""Operators that FlopCounterMode counts as nothing."""

OFFLINE = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "YOLO_OFFLINE": "true",
    "YOLO_AUTOINSTALL": "false",
    "TORCH_HOME": "/nonexistent",
    "CUDA_VISIBLE_DEVICES": "",
}
Made = tuple[Any, Any]
"""A module, and the very arguments of a call."""

Recipe = Callable[[], Made]


def built(make: Callable[..., Any], arguments: Any, *own: Any, **options: Any) -> Made:
    """Return what a library's function makes, and the arguments of its call."""
    return make(*own, **options), arguments


def image(side: int = 224, channels: int = 3, batch: int = 1) -> Any:
    """Return a batch of images."""
    import torch

    return torch.zeros(batch, channels, side, side)


def torchvision_models() -> Iterator[tuple[str, str, Recipe]]:
    """Yield task, name and recipe of every model that torchvision lists."""
    import torch
    from torchvision import models

    tasks = {
        "detection": models.detection,
        "segmentation": models.segmentation,
        "video": models.video,
        "optical_flow": models.optical_flow,
        "quantization": models.quantization,
    }
    of = {name: task for task, part in tasks.items() for name in models.list_models(module=part)}

    def arguments(task: str) -> Any:
        if task == "detection":
            return ([torch.rand(3, 320, 320)],)
        if task == "video":
            return torch.zeros(1, 3, 16, 224, 224)
        if task == "optical_flow":
            return (image(128), image(128))
        return image()

    def recipe(name: str, task: str) -> Recipe:
        options: dict[str, Any] = {"weights": None}
        if task in ("detection", "segmentation"):
            options["weights_backbone"] = None
        if task == "detection" and not name.startswith("ssd"):
            options.update(min_size=192, max_size=320)  # it runs on values, which takes time
        return lambda: (models.get_model(name, **options), arguments(task))

    names = models.list_models()
    for name in sorted(names, key=lambda name: name not in of):  # those of a task first
        task = of.get(name, "classification")
        yield task, name, recipe(name, task)


def timm_models() -> Iterator[tuple[str, str, Recipe]]:
    """Yield models of timm, one of each of these families."""
    import timm

    names = (
        *("botnet26t_256", "cait_xxs24_224", "coat_lite_tiny", "coatnet_0_rw_224", "convit_tiny"),
        *("crossvit_9_240", "deit_tiny_patch16_224", "dla34", "dpn68", "edgenext_xx_small"),
        *("efficientformer_l1", "eva02_tiny_patch14_224", "fastvit_t8", "ghostnet_100"),
        *("hrnet_w18_small", "levit_128s", "mixer_s32_224", "mobileone_s0", "mobilevit_xxs"),
        *("nfnet_l0", "poolformer_s12", "pvt_v2_b0", "repvgg_a0", "res2net50_26w_4s"),
        *("resnest14d", "resmlp_12_224", "rexnet_100", "selecsls42", "tinynet_a"),
        *("tnt_s_patch16_224", "twins_pcpvt_small", "vgg11", "visformer_tiny", "volo_d1_224"),
        *("xcit_nano_12_p16_224", "beit_base_patch16_224", "gcvit_xxtiny", "focalnet_tiny_srf"),
    )
    for name in [each for each in names if each in set(timm.list_models())]:
        size = timm.get_pretrained_cfg(name).input_size if timm.get_pretrained_cfg(name) else None
        x = image((size or (3, 224))[1])
        yield "classification", name, partial(built, timm.create_model, x, name, pretrained=False)


def ultralytics_models() -> Iterator[tuple[str, str, Recipe]]:
    """Yield YOLO of several generations and tasks, built from ultralytics' own descriptions."""
    from ultralytics import YOLO

    tasks = {"": "detection", "-seg": "segmentation", "-cls": "classification", "-pose": "pose"}
    for name in ("yolov5n", "yolov8n", "yolov9t", "yolov10n", "yolo11n", "yolo12n"):
        for suffix, task in tasks.items():
            if suffix and name not in ("yolov8n", "yolo11n"):
                continue

            def recipe(file: str = f"{name}{suffix}.yaml") -> Made:
                return YOLO(file, verbose=False).model, image(320)

            yield task, f"{name}{suffix}", recipe


def smp_models() -> Iterator[tuple[str, str, Recipe]]:
    """Yield the architectures of segmentation_models_pytorch."""
    import segmentation_models_pytorch as smp

    for name in ("Unet", "UnetPlusPlus", "FPN", "PSPNet", "Linknet", "MAnet", "PAN", "UPerNet"):
        make = partial(built, getattr(smp, name), image(128), "resnet18", encoder_weights=None)
        yield "segmentation", f"{name} resnet18", make
    for name in ("DeepLabV3", "DeepLabV3Plus", "Segformer", "DPT"):
        encoder = {"Segformer": "mit_b0", "DPT": "tu-vit_tiny_patch16_224"}.get(name, "resnet18")
        make = partial(built, getattr(smp, name), image(224), encoder, encoder_weights=None)
        yield "segmentation", f"{name} {encoder}", make


def transformers_models() -> Iterator[tuple[str, str, Recipe]]:
    """Yield models of transformers, small, with configurations of their own classes."""
    import torch
    import transformers

    small = {"hidden_size": 64, "intermediate_size": 128}
    small |= {"num_hidden_layers": 2, "num_attention_heads": 4}
    tokens = torch.ones(1, 16, dtype=torch.int64)
    entries: tuple[tuple[str, str, Mapping[str, Any], Any], ...] = (
        ("text", "Bert", small, tokens),
        ("text", "Roberta", small, tokens),
        ("text", "Electra", small, tokens),
        ("text", "DistilBert", {"dim": 64, "n_layers": 2, "n_heads": 4, "hidden_dim": 128}, tokens),
        ("text", "GPT2", {"n_embd": 64, "n_layer": 2, "n_head": 4}, tokens),
        ("text", "Llama", {**small, "num_key_value_heads": 2}, tokens),
        ("text", "T5Encoder", {"d_model": 64, "num_layers": 2, "num_heads": 4, "d_kv": 16}, tokens),
        ("vision", "ViT", small, image()),
        ("vision", "Swin", {"embed_dim": 24, "depths": [1, 1], "num_heads": [2, 4]}, image()),
        ("vision", "ConvNext", {"hidden_sizes": [16, 32, 64, 128]}, image()),
        ("vision", "ResNet", {"depths": [1, 1, 1, 1]}, image()),
        ("vision", "Segformer", {}, image(128)),
        ("vision", "Dinov2", small, image()),
        ("vision", "MobileViT", {}, image(256)),
        ("audio", "Wav2Vec2", small, torch.zeros(1, 16000)),
    )

    def model(name: str, **options: Any) -> Any:
        config = getattr(transformers, f"{name.removesuffix('Encoder')}Config")(**options)
        return getattr(transformers, f"{name}Model")(config)

    for task, name, options, arguments in entries:
        yield task, f"{name}Model", partial(built, model, arguments, name, **options)


def diffusers_models() -> Iterator[tuple[str, str, Recipe]]:
    """Yield networks of diffusion."""
    import diffusers
    import torch

    blocks = {
        "block_out_channels": (32, 64),
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
    }
    step = torch.ones(1, dtype=torch.int64)

    def conditional() -> Made:
        net = diffusers.UNet2DConditionModel(cross_attention_dim=32, **blocks)
        return net, (image(32, 4), step, torch.zeros(1, 8, 32))

    yield "diffusion", "UNet2DModel", lambda: (diffusers.UNet2DModel(32), (image(32), step))
    yield "diffusion", "UNet2DConditionModel", conditional
    yield "autoencoder", "AutoencoderKL", lambda: (diffusers.AutoencoderKL(), image(64))
    yield "autoencoder", "VQModel", lambda: (diffusers.VQModel(), image(64))


def clip_models() -> Iterator[tuple[str, str, Recipe]]:
    """Yield CLIP, an image and a text each."""
    import open_clip
    import torch

    pair = (image(), torch.ones(1, 77, dtype=torch.int64))
    for name in ("ViT-B-32", "RN50", "ViT-S-16"):
        make = partial(built, open_clip.create_model, pair, name, pretrained=None)
        yield "image and text", name, make


def monai_models() -> Iterator[tuple[str, str, Recipe]]:
    """Yield networks for volumes."""
    import torch
    from monai.networks import nets

    volume = torch.zeros(1, 1, 32, 32, 32)
    plain = {"spatial_dims": 3, "in_channels": 1, "out_channels": 2}
    unet = {"channels": (8, 16, 32), "strides": (2, 2)}
    entries: tuple[tuple[str, Mapping[str, Any], Any], ...] = (
        ("UNet", {**plain, **unet}, volume),
        ("BasicUNet", plain, volume),
        ("SegResNet", plain, volume),
        ("AttentionUnet", {**plain, **unet}, volume),
        ("VNet", plain, volume),
        ("DenseNet121", plain, volume),
        ("UNETR", {"in_channels": 1, "out_channels": 2, "img_size": (32, 32, 32)}, volume),
        (
            "SwinUNETR",
            {"in_channels": 1, "out_channels": 2, "feature_size": 12},
            torch.zeros(1, 1, 64, 64, 64),  # halved five times; its norms take more than one voxel
        ),
    )
    for name, options, arguments in entries:
        yield "volumes", name, partial(built, getattr(nets, name), arguments, **options)


LIBRARIES: Mapping[str, tuple[str, Callable[[], Iterator[tuple[str, str, Recipe]]]]] = {
    "torchvision": ("torchvision", torchvision_models),
    "timm": ("timm", timm_models),
    "ultralytics": ("ultralytics", ultralytics_models),
    "segmentation-models-pytorch": ("segmentation_models_pytorch", smp_models),
    "transformers": ("transformers", transformers_models),
    "diffusers": ("diffusers", diffusers_models),
    "open_clip_torch": ("open_clip", clip_models),
    "monai": ("monai", monai_models),
}


def measured(recipe: Recipe) -> dict[str, Any]:
    """Return the figures of one model, measured in this process."""
    import torch

    from cnnstat import api

    begun = time.monotonic()
    torch.manual_seed(0)
    module, arguments = recipe()
    module.eval()
    before = _state(module)
    analysis = api.analyze(module, example=arguments)
    totals = analysis.totals
    unchanged = _state(module) == before
    own = {id(each): each.numel() for each in module.parameters()}
    assert analysis.model.own is not None
    flops = analysis.model.own.count(analysis.inputs)
    counted = flops.torch_total // 2
    unknown = Counter(
        node.op.type_name
        for node, figures in zip(analysis.report.shaped.nodes, analysis.report.nodes, strict=True)
        if figures.unknown
    )
    wrong, notes = [], sorted({note.code for note in analysis.report.notes} - {"no_rule"})
    if totals.params != sum(own.values()):
        wrong.append(f"params differ by {totals.params - sum(own.values()):+,}")
    if totals.macs != counted:
        extra = _uncounted(analysis.report)
        if totals.macs - sum(extra.values()) != counted:
            wrong.append(f"MACs differ by {totals.macs - counted:+,}")
        notes += [f"{name} {macs:,} MACs: {UNCOUNTED[name]}" for name, macs in extra.items()]
    if not unchanged:
        wrong.append("the module changed")
    return {
        "input": " ".join(map(str, analysis.inputs.values())),
        "params": totals.params,
        "module_params": sum(own.values()),
        "macs": totals.macs,
        "counted_macs": counted,
        "status": analysis.status,
        "unchanged": unchanged,
        "seconds": f"{time.monotonic() - begun:.1f}",
        "verdict": "; ".join(wrong) or "equal",
        "notes": " ".join(notes),
        "operators_without_rule": " ".join(f"{name}:{n}" for name, n in sorted(unknown.items())),
    }


def _uncounted(report: Any) -> dict[str, int]:
    """Return the MACs of operators that FlopCounterMode has no rule for."""
    sums: Counter[str] = Counter()
    for node, figures in zip(report.shaped.nodes, report.nodes, strict=True):
        if node.op.type_name in UNCOUNTED:
            sums[node.op.type_name] += figures.work.macs
    return dict(sums)


def _state(module: Any) -> tuple[Any, ...]:
    """Return what an analysis must leave as it is: tensors, their versions, modes, attributes."""
    tensors = [
        (name, id(each), each._version, each.requires_grad)
        for name, each in (*module.named_parameters(), *module.named_buffers())
    ]
    parts = [(name, each.training, sorted(vars(each))) for name, each in module.named_modules()]
    return tensors, parts


def _child(recipe: Recipe, sending: Any) -> None:
    sys.stdout = sys.stderr
    try:
        sending.send(measured(recipe))
    except BaseException as error:
        said = " ".join(str(error).split())[:200]
        sending.send({"verdict": f"crash: {type(error).__name__}: {said}"})


def row_of(recipe: Recipe, limit: float) -> dict[str, Any]:
    """Return a model's row, measured in a process of its own."""
    context = multiprocessing.get_context("fork")  # the library is imported already
    receiving, sending = context.Pipe(duplex=False)
    process = context.Process(target=_child, args=(recipe, sending))
    process.start()
    sending.close()
    row: dict[str, Any] = {"verdict": f"no result after {limit:g} s"}
    try:
        if receiving.poll(limit):
            row = receiving.recv()
    except EOFError:
        row = {"verdict": "crash: the process ended"}
    process.kill()
    process.join()
    return row


def main() -> int:
    """Fill the table; 1 where a row is neither equal nor explained, or too few are complete."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--only", default="", help="models or libraries with this in their name")
    parser.add_argument("--limit", type=float, default=120.0)
    options = parser.parse_args()
    os.environ.update(OFFLINE)
    warnings.simplefilter("ignore")
    import torch

    torch.set_num_threads(1)
    done: dict[tuple[str, str], dict[str, Any]] = {}
    if options.output.exists():
        with options.output.open(newline="", encoding="utf-8") as file:
            done = {(row["library"], row["model"]): row for row in csv.DictReader(file)}
    for library, (package, models) in LIBRARIES.items():
        try:
            __import__(package)
        except ImportError as error:
            print(f"{library} does not import: {error}", file=sys.stderr)
            continue
        for task, model, recipe in models():
            if (library, model) in done or options.only not in f"{library} {model}":
                continue
            origin = {"library": library, "version": version(library), "torch": torch.__version__}
            row = {**origin, "task": task, "model": model, **row_of(recipe, options.limit)}
            done[library, model] = row
            print(library, model, row["verdict"], row.get("operators_without_rule"), flush=True)
            write(options.output, list(done.values()))
    rows = list(done.values())
    equal = sum(row["verdict"] == "equal" for row in rows)
    complete = sum(row.get("status") == "complete" for row in rows)
    print(f"{len(rows)} models, {equal} equal, {complete} complete")
    return 0 if equal == len(rows) and complete >= 0.95 * len(rows) else 1


def write(path: Path, rows: list[dict[str, Any]]) -> None:
    """Write the table anew."""
    part = path.with_suffix(".part")
    with part.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    part.replace(path)


if __name__ == "__main__":
    sys.exit(main())
