"""Chapter 06, as learners write it: solutions that are right in another way, and planted mistakes."""

import torch
from torch.nn.functional import mse_loss


def by_views(net, image):
    out = net(torch.view_as_real(image).permute(0, 3, 1, 2))
    return torch.view_as_complex(out.permute(0, 2, 3, 1).contiguous())


def from_the_end(kernels, strides):
    pixels = 1
    for k, s in reversed(list(zip(kernels, strides))):
        pixels = (pixels - 1) * s + k
    return pixels


def pixel_by_pixel(W, P, T):
    G = torch.zeros_like(W)
    for p, t in zip(P.T, T.T):
        for o in range(len(W)):
            z = (W[o] * p).sum()
            if z > 0:
                G[o] += 2 * (z - t[o]) * p
    return G / T.numel()


def efficient_adam(theta, g, m, v, t, lr):
    m = m + (g - m) * 0.1
    v = v + (g * g - v) * 0.001
    root = (1 - 0.999**t) ** 0.5
    return theta - lr * root / (1 - 0.9**t) * m / (torch.sqrt(v) + 1e-8 * root), m, v


def step_by_grad(net, optimiser, x, truth, loss):
    value = loss(net(x), truth)
    for p, g in zip(net.parameters(), torch.autograd.grad(value, list(net.parameters()))):
        p.grad = g
    optimiser.step()
    return value.tolist()


RIGHT = {
    "ch06_complex": by_views,
    "ch06_field": from_the_end,
    "ch06_gradient": pixel_by_pixel,
    "ch06_adam": efficient_adam,
    "ch06_step": step_by_grad,
}


def channels(a, b):
    return torch.stack([a, b], 1)


def by_reshape(net, image):
    b, h, w = image.shape
    out = net(torch.view_as_real(image).reshape(b, 2, h, w))
    return torch.complex(out[:, 0], out[:, 1])


def through_numpy(net, image):
    out = net(channels(image.real, image.imag)).detach().numpy()
    return torch.from_numpy(out[:, 0] + 1j * out[:, 1])


def own_stride_too(kernels, strides):
    pixels, jump = 1, 1
    for k, s in zip(kernels, strides):
        jump *= s
        pixels += (k - 1) * jump
    return pixels


def last_stride_only(kernels, strides):
    pixels, jump = 1, 1
    for k, s in zip(kernels, strides):
        pixels += (k - 1) * jump
        jump = s
    return pixels


def from_the_front(kernels, strides):
    pixels = 1
    for k, s in zip(kernels, strides):
        pixels = (pixels - 1) * s + k
    return pixels


def ungated(W, P, T):
    return 2 * (torch.relu(W @ P) - T) @ P.T / T.numel()


def gated_by_truth(W, P, T):
    error = torch.relu(W @ P) - T
    error[T <= 0] = 0
    return 2 * error @ P.T / T.numel()


def plain_adam(theta, g, m, v, t, lr):
    m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
    return theta - lr * m / (v.sqrt() + 1e-8), m, v


def adam_that_keeps(theta, g, m, v, t, lr):
    m, v = (0.9 * m + 0.1 * g) / (1 - 0.9**t), (0.999 * v + 0.001 * g**2) / (1 - 0.999**t)
    return theta - lr * m / (v.sqrt() + 1e-8), m, v


def adam_without_epsilon(theta, g, m, v, t, lr):
    m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
    return theta - lr * (m / (1 - 0.9**t)) / (v / (1 - 0.999**t)).sqrt(), m, v


def adam_without_root(theta, g, m, v, t, lr):
    m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
    return theta - lr * m / (1 - 0.9**t) / (v / (1 - 0.999**t) + 1e-8), m, v


def no_zero(net, optimiser, x, truth, loss):
    value = loss(net(x), truth)
    value.backward()
    optimiser.step()
    return value.item()


def zero_too_late(net, optimiser, x, truth, loss):
    value = loss(net(x), truth)
    value.backward()
    optimiser.zero_grad()
    optimiser.step()
    return value.item()


def step_too_early(net, optimiser, x, truth, loss):
    optimiser.step()
    optimiser.zero_grad()
    value = loss(net(x), truth)
    value.backward()
    return value.item()


def step_in_the_middle(net, optimiser, x, truth, loss):
    value = loss(net(x), truth)
    optimiser.step()
    optimiser.zero_grad()
    value.backward()
    return value.item()


def forgets_to_step(net, optimiser, x, truth, loss):
    optimiser.zero_grad()
    value = loss(net(x), truth)
    value.backward()
    return value.item()


def says_nothing(net, optimiser, x, truth, loss):
    step_by_grad(net, optimiser, x, truth, loss)


def keeps_the_graph(net, optimiser, x, truth, loss):
    optimiser.zero_grad()
    value = loss(net(x), truth)
    value.backward()
    optimiser.step()
    return value


def cut_off(net, optimiser, x, truth, loss):
    value = loss(net(x).detach(), truth)
    value.backward()
    optimiser.step()
    return value.item()


WRONG = {
    "ch06_complex": {
        "the imaginary part is not handed over": lambda net, x: by_views(net, torch.complex(x.real, 0 * x.real)),
        "magnitude and phase handed over": lambda net, x: by_views(net, torch.complex(x.abs(), torch.angle(x))),
        "channels exchanged": lambda net, x: (lambda out: torch.complex(out[:, 1], out[:, 0]))(
            net(channels(x.imag, x.real))
        ),
        "reshaped, not moved": by_reshape,
        "the imaginary part is not taken back": lambda net, x: torch.complex(by_views(net, x).real, 0 * x.real),
        "the gradient reaches nothing": through_numpy,
        "real part only": lambda net, x: net(channels(x.real, x.imag))[:, 0],
        "conjugate": lambda net, x: by_views(net, x).conj(),
        "wrong shape": lambda net, x: net(channels(x.real, x.imag)) + 0j,
        "it stops": lambda net, x: net(x),
    },
    "ch06_field": {
        "kernels added up": lambda kernels, strides: sum(kernels),
        "strides ignored": lambda kernels, strides: sum(kernels) - len(kernels) + 1,
        "stride too early": own_stride_too,
        "only the stride before counts": last_stride_only,
        "the pixel itself is missing": lambda kernels, strides: from_the_end(kernels, strides) - 1,
        "one side only": lambda kernels, strides: from_the_end(kernels, strides) // 2,
        "layers in reverse": from_the_front,
        "wrong kind of result": lambda kernels, strides: [from_the_end(kernels, strides)],
    },
    "ch06_gradient": {
        "the error passes everywhere": ungated,
        "no ReLU in the output": lambda W, P, T: 2 * (W @ P - T) @ P.T / T.numel(),
        "gate at the truth": gated_by_truth,
        "factor 2 missing": lambda W, P, T: pixel_by_pixel(W, P, T) / 2,
        "not divided": lambda W, P, T: pixel_by_pixel(W, P, T) * T.numel(),
        "divided by the pixels": lambda W, P, T: pixel_by_pixel(W, P, T) * T.numel() / T.shape[1],
        "uphill": lambda W, P, T: -pixel_by_pixel(W, P, T),
        "wrong shape": lambda W, P, T: pixel_by_pixel(W, P, T).T,
        "it stops": lambda W, P, T: (torch.relu(W @ P) - T) * (W @ P > 0) @ P,
    },
    "ch06_adam": {
        "no correction": plain_adam,
        "corrected means are kept": adam_that_keeps,
        "not finite": adam_without_epsilon,
        "root missing": adam_without_root,
        "uphill": lambda theta, *a: (2 * theta - efficient_adam(theta, *a)[0], *efficient_adam(theta, *a)[1:]),
        "wrong number of results": lambda *a: efficient_adam(*a)[0],
        "it changes its input": lambda theta, g, m, v, t, lr: efficient_adam(theta, g, m.mul_(0.9), v, t, lr),
    },
    "ch06_step": {
        "zero_grad missing": no_zero,
        "the weights do not move": zero_too_late,
        "step before backward": step_in_the_middle,
        "the loss keeps its graph": keeps_the_graph,
        "it returns nothing": says_nothing,
        "another loss": lambda net, o, x, truth, loss: step_by_grad(net, o, x, truth, mse_loss),
        "x and truth exchanged": lambda net, o, x, truth, loss: step_by_grad(net, o, truth, x, loss),
        "it stops": cut_off,
    },
}
