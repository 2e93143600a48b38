#!/usr/bin/env bash
# OpenCV 5.0.0 starts a MaxPool with auto_pad=SAME_UPPER and kernel 3 one pixel before its input. In ONNX, onnxruntime
# and OpenCV 4, it ends one pixel after the input. MTCNN's third network has such a layer, so its landmarks are 1/48 of
# their patch too far right and too low, at every angle of the face.
#
# Input: the numbers 0 to 35 as one channel of 6x6, kernel 3, stride 2. Expected by the ONNX operator's text (SAME_UPPER:
# the extra padding is at the end): the first window covers rows and columns 0 to 2, so its maximum is 14.
# Seen (Python 3.11, x86-64): onnxruntime 1.32.0 and OpenCV 4.12.0 give 14, OpenCV 5.0.0 gives 7. All are right for
# kernel 2.
#
# Exits with 1 as soon as this changes. Needs python3 with venv, and a package index.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
python3 -m venv new; python3 -m venv old
new/bin/pip install -q --disable-pip-version-check opencv-python-headless==5.0.0.93 onnx==1.23.2 onnxruntime==1.32.0
old/bin/pip install -q --disable-pip-version-check opencv-python-headless==4.12.0.88
new/bin/python - <<'P'
import onnx
from onnx import TensorProto, helper

for kernel in (2, 3):
    node = helper.make_node(
        "MaxPool", ["x"], ["y"], kernel_shape=[kernel, kernel], strides=[2, 2], auto_pad="SAME_UPPER"
    )
    x, y = (helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, 1, s, s]) for n, s in (("x", 6), ("y", 3)))
    model = helper.make_model(helper.make_graph([node], "g", [x], [y]), opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8
    onnx.checker.check_model(model)
    onnx.save(model, f"pool{kernel}.onnx")
P
cat > pool.py <<'P'
import sys

import numpy as np

x = np.arange(36, dtype=np.float32).reshape(1, 1, 6, 6)
found = []
for kernel in (2, 3):
    if sys.argv[1] == "onnxruntime":
        import onnxruntime as library

        y = library.InferenceSession(f"pool{kernel}.onnx").run(None, {"x": x})[0]
    else:
        import cv2 as library

        net = library.dnn.readNetFromONNX(f"pool{kernel}.onnx")
        net.setInput(x)
        y = net.forward()
    found.append(int(y.ravel()[0]))
print(sys.argv[1], library.__version__, "kernel 2:", found[0], "kernel 3:", found[1])
P
{ new/bin/python pool.py onnxruntime; old/bin/python pool.py opencv; new/bin/python pool.py opencv; } | tee seen.txt
cat > expected.txt <<'E'
onnxruntime 1.32.0 kernel 2: 7 kernel 3: 14
opencv 4.12.0 kernel 2: 7 kernel 3: 14
opencv 5.0.0 kernel 2: 7 kernel 3: 7
E
diff expected.txt seen.txt && echo "as stated"
