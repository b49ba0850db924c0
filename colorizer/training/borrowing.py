"""What `inference.reference.Borrowing` computes, to be trained."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from colorizer.inference.reference import APART, SAYS, TOLD

__all__ = ["BorrowingNet"]

SHARP = 1.0, 4.0  # the log of what multiplies the products of the first head and the last, at first
RESERVED = 3.0  # the logit of keeping the prediction, at first
OWN = 8  # numbers of a place itself, for the judgment


class BorrowingNet(nn.Module):
    """Changes of a prediction by what references show.

    Args:
        channels: of the features.
        heads, width: products of query and key, and the numbers in each.
        hidden: units of the layers that judge.
    """

    def __init__(self, channels: int, heads: int = 4, width: int = 24, hidden: int = 32) -> None:
        super().__init__()
        inner = heads * width
        self.place = nn.Linear(2 * (channels + TOLD), inner)
        self.query, self.key = nn.Linear(inner, inner), nn.Linear(inner, inner)
        self.none, self.own = nn.Linear(inner, heads), nn.Linear(inner, OWN)
        self.sharp = nn.Parameter(torch.linspace(*SHARP, heads))
        self.far = nn.Parameter(torch.full((heads, 2), -1.0))
        layers = [nn.Linear(2 * SAYS * heads + OWN + 2, hidden), nn.ReLU()]
        last = nn.Linear(hidden, 2 * heads + 1)
        self.judge = nn.Sequential(*layers, nn.Linear(hidden, hidden), nn.ReLU(), last)
        nn.init.zeros_(last.weight)
        with torch.no_grad():
            last.bias.zero_()[0] = RESERVED

    def forward(
        self,
        told: Tensor,
        L: Tensor,
        own: Tensor,
        shown: tuple[Tensor, Tensor, Tensor, Tensor, Tensor],
    ) -> tuple[Tensor, Tensor]:
        """By how much places change, (N, 2), Lab units; and the share that they take on, (N,).

        Args:
            told, L, own: of N places: (N, D) as of `told_of`, (N,), and predicted ab (N, 2).
            shown: of M cells of references: the same, their colors (M, 2), and the logarithm of how
                much each weighs (M,).
        """
        heads = len(self.sharp)
        inner, theirs = (torch.tanh(self.place(values)) for values in (told, shown[0]))
        query = F.normalize(self.query(inner).view(len(L), heads, -1), dim=2).transpose(0, 1)
        key = F.normalize(self.key(theirs).view(len(theirs), heads, -1), dim=2).permute(1, 2, 0)
        # -far |a - b|^2 = 2 far a b - far a^2 - far b^2, so that one product is the whole score
        far = F.softplus(self.far)[:, [0, 1, 1]]
        near, there = (
            torch.cat([one[:, None], ab], 1) / APART for one, ab in ((L, own), shown[1:3])
        )
        weight = shown[4] - far @ there.square().T  # (heads, M)
        query = torch.cat(
            [
                query * self.sharp.exp()[:, None, None],
                2 * far[:, None] * near,
                torch.ones_like(near[:, :1]).expand(heads, -1, 1),
            ],
            2,
        )
        key = torch.cat([key, there.T.expand(heads, -1, -1), weight[:, None]], 1)
        score = query @ key
        total = score.logsumexp(2)  # (heads, N)
        squares = shown[3].square().sum(1, keepdim=True)
        values = torch.cat([shown[3], shown[3] - shown[2], shown[1][:, None], squares], 1)
        found = (score - total[..., None]).exp() @ values  # (heads, N, 6)
        better = total - far @ near.square().T - self.none(inner).T
        share = torch.sigmoid(better)
        moved, off = found[..., :2] - own, found[..., 2:4]
        spread = (found[..., 5] - found[..., :2].square().sum(-1)).clamp(min=0)
        sizes = [spread, moved.square().sum(-1), off.square().sum(-1)]
        sizes = [(size + 1).sqrt() / 20 for size in sizes]
        says = torch.stack([share, *sizes, (found[..., 4] - L) / 25, better / 8], -1)
        says = says.permute(1, 0, 2).reshape(len(L), -1)
        about = [torch.tanh(self.own(inner)), L[:, None] / 50 - 1]
        about += [own.norm(dim=1, keepdim=True) / 40]
        judged = torch.cat([says, says.mean(0, keepdim=True).expand_as(says), *about], 1)
        taken = self.judge(judged).softmax(1)[:, 1:].view(len(L), 2, heads) * share.T[:, None]
        change = torch.einsum("nkh,khnc->nc", taken, torch.stack([moved, off]))
        return change, taken.sum((1, 2))
