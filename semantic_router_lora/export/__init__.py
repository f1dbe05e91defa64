"""Writing an embedder to one folder that runs without PyTorch, and reading it back.

`graph` draws BERT as an ONNX graph, `int8` quantises it and says what that costs, `onnx_folder`
writes the folder, and `folder` and `external` read it.
"""
