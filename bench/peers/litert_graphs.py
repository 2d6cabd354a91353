#!/usr/bin/env python3
"""Times the networks of bench/micro/benches/graphs.rs in LiteRT, whose kernels on the CPU are XNNPACK's.

    python bench/peers/litert_graphs.py --threads 2 --iters 9 [FILTER…]    (needs ai-edge-litert 2.3 and flatbuffers)

Files are written by the schema itself, so that no TensorFlow is needed: maps are [1, h, w, c], filters [out, h, w, in]. Prints
what graphs.py prints.
"""

import argparse
import statistics
import time

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

SIZES = [(256, 256), (512, 512), (1920, 1080)]
OPERATOR = schema.BuiltinOperator
ACTIVATION = schema.ActivationFunctionType


class Graph:
    """A model in the making; a value is the index of its tensor."""

    def __init__(self, width, height):
        self.random = np.random.default_rng(1)
        self.model = schema.ModelT(version=3, operatorCodes=[], subgraphs=[], buffers=[schema.BufferT()])
        self.graph = schema.SubGraphT(tensors=[], operators=[], inputs=[], outputs=[])
        self.model.subgraphs.append(self.graph)
        self.codes, self.shapes = {}, []
        self.graph.inputs.append(self.tensor([1, height, width, 3]))

    def tensor(self, shape, data=None):
        buffer = 0
        if data is not None:
            buffer = len(self.model.buffers)
            self.model.buffers.append(schema.BufferT(data=np.frombuffer(data.tobytes(), np.uint8)))
        whole = data is not None and data.dtype == np.int32
        kind = schema.TensorType.INT32 if whole else schema.TensorType.FLOAT32
        name = f"t{len(self.shapes)}"
        self.graph.tensors.append(schema.TensorT(shape=list(shape), type=kind, buffer=buffer, name=name))
        self.shapes.append(list(shape))
        return len(self.shapes) - 1

    def noise(self, *shape, scale=1.0):
        return self.tensor(shape, (scale * self.random.standard_normal(shape)).astype(np.float32))

    def whole(self, values):
        values = np.array(values, np.int32)
        return self.tensor(values.shape, values)

    def op(self, code, inputs, shape, options=None, version=1):
        if code not in self.codes:
            self.codes[code] = len(self.codes)
            known = schema.OperatorCodeT(builtinCode=code, deprecatedBuiltinCode=min(code, 127), version=version)
            self.model.operatorCodes.append(known)
        made = self.tensor(shape)
        operator = schema.OperatorT(opcodeIndex=self.codes[code], inputs=inputs, outputs=[made])
        if options is not None:
            name = type(options).__name__.removesuffix("T")
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, name)
            operator.builtinOptions = options
        self.graph.operators.append(operator)
        return made

    def convolve(self, x, outputs, kernel, stride=1, activation=ACTIVATION.NONE, depthwise=False, same=True):
        _, height, width, inputs = self.shapes[x]
        places = [-(-n // stride) if same else (n - kernel) // stride + 1 for n in (height, width)]
        scale = (2 / (kernel * kernel * (1 if depthwise else inputs))) ** 0.5
        common = dict(
            padding=schema.Padding.SAME if same else schema.Padding.VALID,
            strideW=stride,
            strideH=stride,
            fusedActivationFunction=activation,
            dilationWFactor=1,
            dilationHFactor=1,
        )
        if depthwise:
            filters = self.noise(1, kernel, kernel, inputs, scale=scale)
            code, options = OPERATOR.DEPTHWISE_CONV_2D, schema.DepthwiseConv2DOptionsT(depthMultiplier=1, **common)
        else:
            filters = self.noise(outputs, kernel, kernel, inputs, scale=scale)
            code, options = OPERATOR.CONV_2D, schema.Conv2DOptionsT(**common)
        return self.op(code, [x, filters, self.noise(outputs)], [1, *places, outputs], options)

    def add(self, a, b, activation=ACTIVATION.NONE):
        options = schema.AddOptionsT(fusedActivationFunction=activation)
        return self.op(OPERATOR.ADD, [a, b], self.shapes[a], options)

    def mean(self, x):
        channels = self.shapes[x][3]
        return self.op(OPERATOR.MEAN, [x, self.whole([1, 2])], [1, 1, 1, channels], schema.ReducerOptionsT(keepDims=True))

    def reflected(self, x, outputs, kernel, stride=1):
        _, height, width, channels = self.shapes[x]
        side = kernel // 2
        around = self.whole([[0, 0], [side, side], [side, side], [0, 0]])
        shape = [1, height + 2 * side, width + 2 * side, channels]
        options = schema.MirrorPadOptionsT(mode=schema.MirrorPadMode.REFLECT)
        padded = self.op(OPERATOR.MIRROR_PAD, [x, around], shape, options)
        return self.convolve(padded, outputs, kernel, stride, same=False)

    def norm(self, x, activation=ACTIVATION.NONE):
        shape, channels = self.shapes[x], self.shapes[x][3]
        mean = self.mean(x)
        squares = self.op(OPERATOR.SQUARED_DIFFERENCE, [x, mean], shape)
        epsilon = self.tensor([1], np.array([1e-5], np.float32))
        deviation = self.op(OPERATOR.RSQRT, [self.add(self.mean(squares), epsilon)], [1, 1, 1, channels])
        scale = self.multiply(deviation, self.noise(channels))
        centred = self.op(OPERATOR.SUB, [x, mean], shape, schema.SubOptionsT())
        return self.add(self.multiply(centred, scale), self.noise(channels), activation)

    def multiply(self, a, b):
        return self.op(OPERATOR.MUL, [a, b], self.shapes[a], schema.MulOptionsT())

    def double(self, x):
        _, height, width, channels = self.shapes[x]
        size = self.whole([2 * height, 2 * width])
        shape = [1, 2 * height, 2 * width, channels]
        return self.op(OPERATOR.RESIZE_NEAREST_NEIGHBOR, [x, size], shape, schema.ResizeNearestNeighborOptionsT())

    def bytes(self, output):
        self.graph.outputs = [output]
        builder = flatbuffers.Builder(1 << 20)
        builder.Finish(self.model.Pack(builder), b"TFL3")
        return bytes(builder.Output())


def johnson(a, b, c):
    def build(graph):
        def layer(x, outputs, kernel, stride=1):
            return graph.norm(graph.reflected(x, outputs, kernel, stride), ACTIVATION.RELU)

        x = layer(layer(layer(0, a, 9), b, 3, 2), c, 3, 2)
        for _ in range(5):
            x = graph.add(x, graph.norm(graph.reflected(layer(x, c, 3), c, 3)))
        x = layer(graph.double(layer(graph.double(x), b, 3)), a, 3)
        x = graph.reflected(x, 3, 9)
        return graph.op(OPERATOR.LOGISTIC, [x], graph.shapes[x])

    return build


def predictor(graph):
    relu6 = ACTIVATION.RELU6
    x = graph.convolve(0, 32, 3, 2, relu6)
    x = graph.convolve(graph.convolve(x, 32, 3, 1, relu6, depthwise=True), 16, 1)
    inputs = 16
    for outputs, count, stride in [(24, 2, 2), (32, 3, 2), (64, 4, 2), (96, 3, 1), (160, 3, 2), (320, 1, 1)]:
        for index in range(count):
            y = graph.convolve(x, 6 * inputs, 1, 1, relu6)
            y = graph.convolve(y, 6 * inputs, 3, stride if index == 0 else 1, relu6, depthwise=True)
            y = graph.convolve(y, outputs, 1)
            x = graph.add(x, y) if inputs == outputs else y
            inputs = outputs
    x = graph.convolve(graph.convolve(x, 1280, 1, 1, relu6), 100, 1)
    return graph.mean(x)


NETWORKS = {
    "johnson_4_8_16": johnson(4, 8, 16),
    "johnson_8_16_32": johnson(8, 16, 32),
    "johnson_32_64_128": johnson(32, 64, 128),
    "predictor_mobilenet": predictor,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--iters", type=int, default=9)
    parser.add_argument("filters", nargs="*")
    options = parser.parse_args()
    for name, network in NETWORKS.items():
        for width, height in SIZES:
            case = f"{name} {width}x{height}"
            if options.filters and not any(part in case for part in options.filters):
                continue
            graph = Graph(width, height)
            model = graph.bytes(network(graph))
            interpreter = Interpreter(model_content=model, num_threads=options.threads)
            interpreter.allocate_tensors()
            image = np.random.default_rng(2).random((1, height, width, 3), np.float32)
            interpreter.set_tensor(interpreter.get_input_details()[0]["index"], image)
            interpreter.invoke()
            clock, processor = [], []
            for _ in range(options.iters):
                start = time.perf_counter(), time.process_time()
                interpreter.invoke()
                clock.append(time.perf_counter() - start[0])
                processor.append(time.process_time() - start[1])
            median = [1e3 * statistics.median(times) for times in (clock, processor)]
            print(f"litert {case}: {median[0]:.1f} ms, of processors {median[1]:.1f} ms", flush=True)


if __name__ == "__main__":
    main()
