"""Every adversarial loss and penalty against values derived by hand."""

import math

import pytest
import torch

from facegan.losses.adversarial import LOSSES
from facegan.losses.penalties import (
    gradient_penalty,
    interpolation_penalty,
    path_length_mean,
    path_length_penalty,
    path_lengths,
)

LN2 = math.log(2)
SP1 = math.log(1 + math.e)  # softplus(1); softplus(-1) = SP1 - 1
SP2 = math.log(1 + math.e**2)  # softplus(2)

# For logits real = (1, 1), fake = (-1, -1): softplus(-1) each, and so on.
EXPECTED = {
    # loss: (D at real 0 fake 0, D at real 1 fake -1, G at fake -1 real 1)
    "nonsaturating": (2 * LN2, 2 * (SP1 - 1), SP1),
    "bce": (LN2, SP1 - 1, SP1),
    "hinge": (2.0, 0.0, 1.0),
    "wgan": (0.0, -2.0, 1.0),
    "leastsquares": (0.5, 0.5, 2.0),
    "relativistic": (LN2, SP2 - 2, SP2),
}


@pytest.mark.parametrize("name", LOSSES)
def test_closed_form(name):
    loss = LOSSES[name]
    zero, one = torch.zeros(2, dtype=torch.float64), torch.ones(2, dtype=torch.float64)
    at_zero, at_one, g = EXPECTED[name]
    assert float(loss.d(zero, zero)) == pytest.approx(at_zero, abs=1e-12)
    assert float(loss.d(one, -one)) == pytest.approx(at_one, abs=1e-12)
    assert float(loss.g(-one, one)) == pytest.approx(g, abs=1e-12)


@pytest.mark.parametrize("name", LOSSES)
def test_gradients_push_apart_and_together(name):
    """D raises real and lowers fake logits; G raises the fakes'."""
    loss = LOSSES[name]
    real = torch.tensor([0.2, -0.3], requires_grad=True)
    fake = torch.tensor([0.1, 0.4], requires_grad=True)
    dr, df = torch.autograd.grad(loss.d(real, fake), [real, fake])
    assert (dr < 0).all() and (df > 0).all()
    (gf,) = torch.autograd.grad(loss.g(fake, real), [fake])
    assert (gf < 0).all()


def test_joint_cross_entropy_equals_torch_on_the_joint_batch():
    real, fake = torch.randn(7, dtype=torch.float64), torch.randn(7, dtype=torch.float64)
    labels = torch.cat([torch.ones(7), torch.zeros(7)]).double()
    joint = torch.nn.functional.binary_cross_entropy_with_logits(torch.cat([real, fake]), labels)
    assert float(LOSSES["bce"].d(real, fake)) == pytest.approx(float(joint), abs=1e-12)


def test_gradient_penalty_of_a_quadratic():
    """D(x) = a |x|^2 / 2 has the gradient a x, so the penalty is a^2 |x|^2 / 2, averaged."""
    x = torch.randn(5, 3, 4, 4, dtype=torch.float64, requires_grad=True)
    penalty = gradient_penalty(1.5 * x.square().sum((1, 2, 3)) / 2, x)
    expected = (1.5**2 * x.square().sum((1, 2, 3)) / 2).mean()
    assert float(penalty.detach()) == pytest.approx(float(expected.detach()), rel=1e-12)
    (grad,) = torch.autograd.grad(penalty, x)
    torch.testing.assert_close(grad, 1.5**2 * x / 5)


def test_path_lengths_of_a_linear_generator():
    """Images A_1 w_1 + A_2 w_2 have the Jacobians A_l: the root of the mean square over l of |A_l^T y|."""
    jacobians = torch.randn(2, 3 * 4 * 5, 7, dtype=torch.float64, requires_grad=True)
    ws = torch.randn(6, 2, 7, dtype=torch.float64, requires_grad=True)
    images = torch.einsum("lij,nlj->ni", jacobians, ws).reshape(6, 3, 4, 5)
    noise = torch.randn(6, 3, 4, 5, dtype=torch.float64) / math.sqrt(4 * 5)
    lengths = path_lengths(images, ws, noise)
    expected = [
        math.sqrt(sum(float((a.detach().T @ y.flatten()).square().sum()) for a in jacobians) / 2)
        for y in noise
    ]
    assert lengths.tolist() == pytest.approx(expected, rel=1e-12)
    # Twice the Jacobian is twice the length, so that the derivative along A itself is the length.
    (slope,) = torch.autograd.grad(lengths.sum(), jacobians)
    assert float((slope * jacobians).sum().detach()) == pytest.approx(sum(expected), rel=1e-12)


def test_path_lengths_of_an_orthogonal_generator_are_one_in_the_mean():
    """|J^T y|^2 has the mean dim / (H W) for orthonormal columns: what the paper's scaling is about."""
    columns = torch.linalg.qr(torch.randn(400, 16, dtype=torch.float64))[0]
    ws = torch.randn(500, 1, 16, dtype=torch.float64, requires_grad=True)
    images = (ws[:, 0] @ columns.T).reshape(500, 1, 20, 20)
    lengths = path_lengths(images, ws, torch.randn(500, 1, 20, 20, dtype=torch.float64) / 20)
    assert float(lengths.square().mean().detach()) == pytest.approx(16 / 400, rel=5 * math.sqrt(2 / 16 / 500))


def test_path_length_penalty():
    lengths = torch.tensor([1.0, 2.0, 6.0], dtype=torch.float64)
    mean = path_length_mean(torch.tensor(5.0, dtype=torch.float64), lengths, 0.25)
    assert float(mean) == 5 * 0.75 + 3 * 0.25
    assert float(path_length_penalty(lengths, torch.tensor(3.0))) == pytest.approx((4 + 1 + 9) / 3)


def test_interpolation_penalty_of_a_quadratic():
    """D(x) = a |x|^2 / 2: its gradient at x = r + u (f - r) is a x, the penalty (a |x| - 1)^2."""
    real, fake = (torch.randn(5, 3, 4, 6, dtype=torch.float64) for _ in range(2))
    u = torch.linspace(0, 1, 5, dtype=torch.float64)
    penalty = interpolation_penalty(lambda x: 1.5 * x.square().sum((1, 2, 3)) / 2, real, fake, u=u)
    between = real + u.view(-1, 1, 1, 1) * (fake - real)
    expected = (1.5 * between.flatten(1).norm(dim=1) - 1).square().mean()
    assert float(penalty.detach()) == pytest.approx(float(expected), rel=1e-9)


@pytest.mark.parametrize("name", LOSSES)
def test_which_are_bounded_by_0(name):
    loss, logits = LOSSES[name], torch.linspace(-50, 50, 1001)
    if loss.d_pair is not None:
        least = min(float(loss.d_pair(x, -x)) for x in logits)
    else:
        least = min(float(term(x)) for x in logits for term in (loss.d_real, loss.d_fake))
    assert (least >= 0) == loss.bounded
