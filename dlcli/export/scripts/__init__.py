"""The parts of the scripts that are written beside exported files; `dlcli.export.script` joins them into one file.

They import nothing but numpy, ONNX Runtime and Pillow, so that whoever has a file and its script needs no more.
"""
