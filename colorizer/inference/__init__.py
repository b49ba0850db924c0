"""Color picture files with a trained model: NumPy, ONNX Runtime and libvips, never torch."""

__all__: list[str] = []
