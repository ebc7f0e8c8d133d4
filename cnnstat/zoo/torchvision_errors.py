"""Errors of torchvision's ImageNet weights, one centre crop of 224x224.

From the accuracies in the weights' metadata (``acc@1`` and ``acc@5``) of torchvision 0.29.1. Where
the error table in the documentation of torchvision 0.8 says otherwise, both figures stand.
"""

from __future__ import annotations

SETTING = "ILSVRC 2012 validation", "one model, one crop"
VERSION = "torchvision 0.29.1"
OLD_TABLE = "torchvision 0.8, documentation, table of 1-crop error rates"

# file and class of the weights; top-1 and top-5 accuracy in percent of V1 and of V2
WEIGHTS: dict[str, tuple[str, *tuple[float, ...]]] = {
    "alexnet-owt": ("alexnet.py, AlexNet_Weights", 56.522, 79.066),
    "vgg11": ("vgg.py, VGG11_Weights", 69.020, 88.628),
    "vgg11-bn": ("vgg.py, VGG11_BN_Weights", 70.370, 89.810),
    "vgg13": ("vgg.py, VGG13_Weights", 69.928, 89.246),
    "vgg13-bn": ("vgg.py, VGG13_BN_Weights", 71.586, 90.374),
    "vgg16": ("vgg.py, VGG16_Weights", 71.592, 90.382),
    "vgg16-bn": ("vgg.py, VGG16_BN_Weights", 73.360, 91.516),
    "vgg19": ("vgg.py, VGG19_Weights", 72.376, 90.876),
    "vgg19-bn": ("vgg.py, VGG19_BN_Weights", 74.218, 91.842),
    "resnet18": ("resnet.py, ResNet18_Weights", 69.758, 89.078),
    "resnet34": ("resnet.py, ResNet34_Weights", 73.314, 91.420),
    "resnet50-v1.5": ("resnet.py, ResNet50_Weights", 76.130, 92.862, 80.858, 95.434),
    "resnet101-v1.5": ("resnet.py, ResNet101_Weights", 77.374, 93.546, 81.886, 95.780),
    "resnet152-v1.5": ("resnet.py, ResNet152_Weights", 78.312, 94.046, 82.284, 96.002),
    "resnext50-32x4d": ("resnet.py, ResNeXt50_32X4D_Weights", 77.618, 93.698, 81.198, 95.340),
    "resnext101-32x8d": ("resnet.py, ResNeXt101_32X8D_Weights", 79.312, 94.526, 82.834, 96.228),
    "resnext101-64x4d": ("resnet.py, ResNeXt101_64X4D_Weights", 83.246, 96.454),
    "wide-resnet50-2": ("resnet.py, Wide_ResNet50_2_Weights", 78.468, 94.086, 81.602, 95.758),
    "wide-resnet101-2": ("resnet.py, Wide_ResNet101_2_Weights", 78.848, 94.284, 82.510, 96.020),
    "densenet121": ("densenet.py, DenseNet121_Weights", 74.434, 91.972),
    "densenet161": ("densenet.py, DenseNet161_Weights", 77.138, 93.560),
    "densenet169": ("densenet.py, DenseNet169_Weights", 75.600, 92.806),
    "densenet201": ("densenet.py, DenseNet201_Weights", 76.896, 93.370),
}

# top-1 and top-5 error in percent
OLD_ERRORS = {
    "alexnet-owt": (43.45, 20.91),
    "vgg11-bn": (29.62, 10.19),
    "vgg13-bn": (28.45, 9.63),
    "vgg16-bn": (26.63, 8.50),
    "vgg19-bn": (25.76, 8.15),
    "resnet50-v1.5": (23.85, 7.13),
    "resnet101-v1.5": (22.63, 6.44),
    "resnet152-v1.5": (21.69, 5.94),
}


def torchvision_errors(model: str) -> list[tuple[str, float, float]]:
    """Return where torchvision's weights of a model are, with their top-1 and top-5 errors."""
    if model not in WEIGHTS:
        return []
    place, *accuracies = WEIGHTS[model]
    pairs = zip(accuracies[::2], accuracies[1::2], strict=True)
    errors = [
        (
            f"{VERSION}, models/{place}.IMAGENET1K_V{number}",
            round(100 - top1, 2),
            round(100 - top5, 2),
        )
        for number, (top1, top5) in enumerate(pairs, 1)
    ]
    return [(OLD_TABLE, *OLD_ERRORS[model]), *errors] if model in OLD_ERRORS else errors
