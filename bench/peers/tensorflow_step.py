#!/usr/bin/env python3
"""Times the step of task.py in TensorFlow on the CPU.

    python tensorflow_step.py --size 512 --threads 2 --iters 5 --variant graph

Variants: graph (tf.function), xla (the same with jit_compile).
"""

import argparse
import os

import task

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def build(variant, size):
    """The step as a function that returns the loss."""
    import tensorflow as tf

    weights = {
        name: (tf.constant(w.transpose(2, 3, 1, 0).copy()), tf.constant(b)) for name, (w, b) in task.weights().items()
    }
    content, style, image = (tf.constant(p.transpose(1, 2, 0)[None].copy()) for p in task.pictures(size))

    def features(x):
        found = {}
        x = (x - task.MEAN) / task.DEVIATION
        for position, (name, _, _) in enumerate(task.LAYERS):
            if task.pooled_before(position):
                x = tf.nn.max_pool2d(x, 2, 2, "VALID")
            weight, bias = weights[name]
            x = tf.nn.relu(tf.nn.bias_add(tf.nn.conv2d(x, weight, 1, "SAME"), bias))
            if name in task.STYLE or name == task.CONTENT:
                found[name] = x
        return found

    def gram(f):
        _, h, w, c = f.shape
        flat = tf.reshape(f, (h * w, c))
        return tf.matmul(flat, flat, transpose_a=True) / float(c * h * w)

    shown = features(style)
    grams = {name: gram(shown[name]) for name in task.STYLE}
    del shown
    wanted = features(content)[task.CONTENT]
    variable = tf.Variable(image)

    @tf.function(jit_compile=variant == "xla")
    def value_and_gradient():
        with tf.GradientTape() as tape:
            found = features(variable)
            total = task.CONTENT_WEIGHT * tf.reduce_mean((found[task.CONTENT] - wanted) ** 2)
            for name in task.STYLE:
                apart = gram(found[name]) - grams[name]
                total += task.STYLE_WEIGHT / len(task.STYLE) * tf.reduce_sum(apart**2)
            across = variable[:, :, 1:] - variable[:, :, :-1]
            down = variable[:, 1:] - variable[:, :-1]
            total += task.TV_WEIGHT * (tf.reduce_mean(across**2) + tf.reduce_mean(down**2))
        return total, tape.gradient(total, variable)

    def step():
        value, gradient = value_and_gradient()
        gradient.numpy()
        return float(value)

    return step


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--size", type=int, default=256)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--iters", type=int, default=5)
    p.add_argument("--warm", type=int, default=2)
    p.add_argument("--variant", default="graph", choices=["graph", "xla"])
    a = p.parse_args()
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(a.threads)
    tf.config.threading.set_inter_op_parallelism_threads(a.threads)
    step = build(a.variant, a.size)
    seconds, warmed, loss = task.time_steps(step, a.iters, a.warm)
    task.report("tensorflow", tf.__version__, a.variant, a.size, a.threads, seconds, warmed, loss)


if __name__ == "__main__":
    main()
