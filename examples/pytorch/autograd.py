"""What records gradients, how to read them, and how to stop: the tutorial's steps, one after the other."""

import nnlite as torch

x = torch.ones(5)
y = torch.zeros(3)
w = (torch.arange(15).reshape(5, 3) / 10 - 0.7).requires_grad_()
b = torch.zeros(3, requires_grad=True)
z = torch.matmul(x, w) + b
loss = torch.nn.functional.binary_cross_entropy_with_logits(z, y)
print(f"made by an operation: {z.grad_fn is not None}, {loss.grad_fn is not None}")

loss.backward()
print(w.grad.numpy().round(4).tolist())
print(b.grad.numpy().round(4).tolist())

z = torch.matmul(x, w) + b
print(z.requires_grad)
with torch.no_grad():
    z = torch.matmul(x, w) + b
print(z.requires_grad, z.detach().requires_grad)

# A gradient of a tensor of several elements is a product with the Jacobian; gradients add up until they are cleared.
inp = torch.eye(4, 5, requires_grad=True)
out = (inp + 1).pow(2).t()
out.backward(torch.ones_like(out), retain_graph=True)
print(inp.grad.numpy().tolist())
out.backward(torch.ones_like(out), retain_graph=True)
print(inp.grad.numpy().tolist())
inp.grad.zero_()
out.backward(torch.ones_like(out))
print(inp.grad.numpy().tolist())

# The gradient of an intermediate result, and a hook that sees it.
a = torch.tensor([2.0, 3.0], requires_grad=True)
square = a**2
square.retain_grad()
square.register_hook(lambda gradient: gradient * 2)
(square * 3).sum().backward()
print(a.grad.tolist(), square.grad.tolist())


class Cube(torch.autograd.Function):
    """x^3, with its derivative written by hand."""

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x**3

    @staticmethod
    def backward(ctx, gradient):
        (x,) = ctx.saved_tensors
        return 3 * x**2 * gradient


a = torch.tensor([2.0, 3.0], requires_grad=True)
(slope,) = torch.autograd.grad(Cube.apply(a).sum(), a)
print(slope.tolist())
(slope,) = torch.autograd.grad((a**3).sum(), a, create_graph=True)
(curvature,) = torch.autograd.grad(slope.sum(), a)
print(slope.tolist(), curvature.tolist())
