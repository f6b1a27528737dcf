"""Linear operators: A(x), A @ B, A.H (adjoint), A.N = A.H A (normal operator).

An operator is an immutable value. It is defined by the inner product, <A x, y> = <x, A.H y>; gradients flow
through it, and the gradient of <A x, y> with respect to x is A.H y.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor


class LinearOperator(ABC):
    """A linear map with its adjoint. Write `forward` and `adjoint`; write `normal` only when A^H A has a short cut."""

    @abstractmethod
    def forward(self, x: Tensor) -> Tensor:
        """A x."""

    @abstractmethod
    def adjoint(self, y: Tensor) -> Tensor:
        """A^H y."""

    def normal(self, x: Tensor) -> Tensor:
        """A^H A x."""
        return self.adjoint(self.forward(x))

    def __call__(self, x: Tensor) -> Tensor:
        return self.forward(x)

    def __matmul__(self, inner: "LinearOperator") -> "LinearOperator":
        return Compose(self, inner)

    @property
    def H(self) -> "LinearOperator":
        """The adjoint."""
        return Adjoint(self)

    @property
    def N(self) -> "LinearOperator":
        """The normal operator A^H A, its own adjoint."""
        return Normal(self)


@dataclass(frozen=True, eq=False, repr=False)
class Adjoint(LinearOperator):
    """A.H; its own adjoint is A itself."""

    A: LinearOperator

    def forward(self, x: Tensor) -> Tensor:
        return self.A.adjoint(x)

    def adjoint(self, y: Tensor) -> Tensor:
        return self.A.forward(y)

    @property
    def H(self) -> LinearOperator:
        return self.A


@dataclass(frozen=True, eq=False, repr=False)
class Normal(LinearOperator):
    """A.N = A^H A."""

    A: LinearOperator

    def forward(self, x: Tensor) -> Tensor:
        return self.A.normal(x)

    def adjoint(self, y: Tensor) -> Tensor:
        return self.A.normal(y)

    @property
    def H(self) -> LinearOperator:
        return self


@dataclass(frozen=True, eq=False, repr=False)
class Compose(LinearOperator):
    """outer @ inner: first inner, then outer. (A @ B).H = B.H @ A.H."""

    outer: LinearOperator
    inner: LinearOperator

    def forward(self, x: Tensor) -> Tensor:
        return self.outer.forward(self.inner.forward(x))

    def adjoint(self, y: Tensor) -> Tensor:
        return self.inner.adjoint(self.outer.adjoint(y))

    def normal(self, x: Tensor) -> Tensor:
        return self.inner.adjoint(self.outer.normal(self.inner.forward(x)))


@dataclass(frozen=True, eq=False, repr=False)
class Sum(LinearOperator):
    """x -> A x + B x."""

    A: LinearOperator
    B: LinearOperator

    def forward(self, x: Tensor) -> Tensor:
        return self.A.forward(x) + self.B.forward(x)

    def adjoint(self, y: Tensor) -> Tensor:
        return self.A.adjoint(y) + self.B.adjoint(y)


@dataclass(frozen=True, eq=False, repr=False)
class Stack(LinearOperator):
    """x -> the outputs of several operators one after the other along axis 1, so that K = [A; D] is one operator.

    `sizes` says how long axis 1 of each output is: Stack((A, D), (coils, 2)).
    """

    operators: tuple[LinearOperator, ...]
    sizes: tuple[int, ...]

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([A.forward(x) for A in self.operators], dim=1)

    def adjoint(self, y: Tensor) -> Tensor:
        return sum_of([A.adjoint(part) for A, part in zip(self.operators, y.split(self.sizes, dim=1), strict=True)])

    def normal(self, x: Tensor) -> Tensor:
        return sum_of([A.normal(x) for A in self.operators])


@dataclass(frozen=True, eq=False, repr=False)
class Identity(LinearOperator):
    """x -> x."""

    def forward(self, x: Tensor) -> Tensor:
        return x

    def adjoint(self, y: Tensor) -> Tensor:
        return y


def sum_of(parts: list[Tensor]) -> Tensor:
    """The sum of equally shaped arrays."""
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total
