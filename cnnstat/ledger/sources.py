"""Sources of published figures: a short key for ``--source``, and the citation."""

from __future__ import annotations

SOURCES: dict[str, str] = {
    "blog": 'blog "Representative CNN architectures (LeNet, AlexNet, ResNet, ...)", 2024-01-09',
    "handson-notes": 'notes "DNN_02_1. CNN" on chapter 14 of Hands-On Machine Learning, 2022-06-10',
    "study-notes": 'study notes "CNN Architecture", 2024-05-29',
    "slides": 'slides "CNN Architecture", Modulabs Rubato Lab',
    "cs231n": "Stanford CS231n course notes, Convolutional Neural Networks",
    "lecun-1998": "LeCun et al. 1998, Gradient-Based Learning Applied to Document Recognition",
    "krizhevsky-2012": "Krizhevsky et al. 2012, ImageNet Classification with Deep CNNs",
    "zeiler-2013": "Zeiler and Fergus 2013, Visualizing and Understanding Convolutional Networks",
    "simonyan-2014": "Simonyan and Zisserman 2014, Very Deep Convolutional Networks",
    "szegedy-2014": "Szegedy et al. 2014, Going Deeper with Convolutions",
    "lin-2013": "Lin et al. 2013, Network In Network",
    "he-2015": "He et al. 2015, Deep Residual Learning for Image Recognition",
    "he-2016": "He et al. 2016, Identity Mappings in Deep Residual Networks",
    "huang-2016-depth": "Huang et al. 2016, Deep Networks with Stochastic Depth",
    "zagoruyko-2016": "Zagoruyko and Komodakis 2016, Wide Residual Networks",
    "wrn-code": "szagoruyko/wide-residual-networks",
    "larsson-2016": "Larsson et al. 2016, FractalNet",
    "huang-2016-densenet": "Huang et al. 2016, Densely Connected Convolutional Networks",
    "densenet-code": "liuzhuang13/DenseNet",
    "xie-2016": "Xie et al. 2016, Aggregated Residual Transformations (ResNeXt)",
    "resnext-code": "facebookresearch/ResNeXt",
    "howard-2017": "Howard et al. 2017, MobileNets",
    "torchvision": "torchvision 0.29.1",
    "keras": "Keras Applications",
}


def is_paper(source: str) -> bool:
    """Return whether a source is a paper: its key has a year."""
    return any(part.isdecimal() for part in source.split("-"))


def citation(source: str, place: str = "") -> str:
    """Return the citation of a source's key, with the place in it."""
    return f"{SOURCES[source]}, {place}" if place else SOURCES[source]
