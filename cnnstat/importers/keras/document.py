"""The configuration of a Keras model, wherever it is stored."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

from cnnstat.errors import MissingDependencyError, ModelError, UsageError

MAX_CONFIG_BYTES = 64 * 2**20
"""Largest configuration that is read: a thousand times that of ResNet-152."""

CONFIG = "config.json"
HDF5 = (".h5", ".hdf5")


def read_config(path: str) -> dict[str, Any]:
    """Return the configuration of a model file, as ``Model.to_json`` writes it.

    Raises ``UsageError`` for a file that cannot be read, ``ModelError`` for one that holds no
    configuration, ``MissingDependencyError`` for an HDF5 file without h5py.
    """
    lower = path.lower()
    try:
        if lower.endswith(HDF5):
            content = _of_hdf5(path)
        elif lower.endswith(".keras"):
            content = _of_archive(path)
        else:
            with open(path, "rb") as file:
                content = file.read(MAX_CONFIG_BYTES + 1)
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror or error}") from error
    if len(content) > MAX_CONFIG_BYTES:
        raise ModelError(
            f"{path}: its configuration has too many bytes; at most {MAX_CONFIG_BYTES:,} are read"
        )
    return parse_config(content, path)


def _of_archive(path: str) -> bytes:
    try:
        with zipfile.ZipFile(path) as archive, archive.open(CONFIG) as file:
            return file.read(MAX_CONFIG_BYTES + 1)
    except KeyError:
        raise ModelError(
            f"{path}: the archive has no {CONFIG}; save the model with model.save('NAME.keras')"
        ) from None
    except OSError:
        raise
    except Exception as error:  # what zipfile, or a decompressor of its own, raises
        raise ModelError(
            f"{path}: not a .keras archive ({error}); save the model with model.save('NAME.keras')"
        ) from error


def _of_hdf5(path: str) -> bytes:
    try:
        import h5py
    except ImportError as error:
        raise MissingDependencyError("h5py", "keras") from error
    if not Path(path).exists():
        raise UsageError(f"cannot read {path}: no such file")
    try:
        with h5py.File(path, "r") as file:
            config = file.attrs.get("model_config")
    except OSError as error:
        raise ModelError(f"{path}: not an HDF5 file ({error})") from error
    if config is None:
        raise ModelError(f"{path}: it holds weights but no model; save the whole model")
    return config if isinstance(config, bytes) else str(config).encode()


def parse_config(content: bytes | str, source: str) -> dict[str, Any]:
    """Return the configuration in a JSON text. Raises ``ModelError`` where there is none."""
    try:
        config = json.loads(content)
    except RecursionError:
        raise ModelError(f"{source}: its configuration is nested too deeply") from None
    except ValueError as error:
        raise ModelError(f"{source}: its configuration is not JSON: {error}") from error
    if not isinstance(config, dict) or not isinstance(config.get("config"), dict | list):
        raise ModelError(f"{source}: not a Keras model: expected what model.to_json() writes")
    return config
