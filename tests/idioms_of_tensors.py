"""Lines of tensors that stand in many PyTorch programs; see idioms.py."""

LINES = """
torch.empty(2, 3).shape
torch.full((2, 2), 7.0)
torch.full((2,), 7)
torch.eye(3)
torch.linspace(0, 1, 5)
torch.logspace(0, 2, 3)
torch.zeros_like(x)
torch.ones_like(y)
torch.rand_like(x) # shape
torch.randn_like(x) # shape
torch.full_like(x, 2.0)
torch.randint(0, 10, (3, 2)) # shape
torch.randint(5, (4,)) # shape
torch.randperm(6) # shape
torch.as_tensor([1.0, 2.0])
torch.tensor(np.float64(2.5))
torch.tensor([True, False])
torch.tensor([1.0]).double().dtype
torch.normal(0.0, 1.0, (2, 3)) # shape
torch.bernoulli(torch.full((4,), 0.5)) # shape
torch.multinomial(torch.tensor([0.2, 0.8]), 5, replacement=True) # shape
torch.tensor([[1.0, 2.0]]).repeat(2, 2)
x.expand(2, 4, 3)
t.expand(-1, 3)
t.expand_as(x)
torch.unsqueeze(v, 0)
x.permute(1, 0)
x.flatten()
torch.flatten(x.view(2, 2, 3), start_dim=1)
x.flip(0)
torch.flip(x, [0, 1])
torch.roll(v, 1)
torch.chunk(x, 2)
x.split(3)
torch.split(x, [1, 3])
x.unbind(0)
torch.hstack([v, v])
torch.vstack([v, v])
torch.tril(torch.ones(3, 3))
torch.triu(torch.ones(3, 3), diagonal=1)
torch.diag(v)
torch.outer(v, v)
torch.dot(v, v)
torch.bmm(x.view(2, 2, 3), x.view(2, 3, 2))
torch.einsum("ij,kj->ik", x, x)
torch.addmm(torch.zeros(4, 4), x, x.t())
torch.mv(x, v)
x.prod()
x.prod(dim=1)
x.var()
x.var(dim=0, unbiased=False)
x.std(dim=1, keepdim=True)
torch.var_mean(x)
x.norm()
torch.norm(x)
x.norm(dim=1)
x.median()
x.cumsum(0)
torch.cumprod(v, dim=0)
torch.logsumexp(x, dim=1)
x.sort(dim=1)
torch.sort(v, descending=True).values
torch.argsort(x, dim=1)
torch.topk(x, 2, dim=1)
x.topk(1)[1]
torch.unique(y)
torch.bincount(y)
torch.nonzero(x > 1)
(x > 0).nonzero(as_tuple=True)
torch.count_nonzero(y)
x.min(dim=1)
x.amax(dim=1)
torch.minimum(x, x * 0)
torch.maximum(x, torch.zeros(3))
torch.max(x, torch.zeros_like(x))
torch.where(x > 0, x, torch.zeros_like(x))
torch.where(x > 0, x, 0.0)
x.masked_fill(x < 0, 0.0)
x.masked_select(x > 0)
torch.gather(x, 1, y.unsqueeze(1))
x.gather(1, y.view(-1, 1)).squeeze()
torch.zeros(4, 3).scatter_(1, y.unsqueeze(1), 1.0)
torch.zeros(4, 3).scatter(1, y.unsqueeze(1), 1.0)
torch.index_select(x, 0, i)
torch.take_along_dim(x, y.unsqueeze(1), 1)
z = x.clone(); z[0] = 0; z
z = x.clone(); z[z < 0] = 0; z
z = x.clone(); z[:, 1] = torch.ones(4); z
z = x.clone(); z += 1; z
z = x.clone(); z.add_(1).mul_(2); z
z = x.clone(); z.zero_(); z
z = x.clone(); z.fill_(3.0); z
z = x.clone(); z.clamp_(0, 1); z
z = torch.empty(3); z.uniform_(-1, 1) # shape
z = torch.empty(3); z.normal_(0, 1) # shape
torch.sin(x)
torch.cos(x)
x.sign()
x.floor()
torch.round(x)
torch.ceil(x)
x.square()
x.reciprocal()
x.rsqrt().isnan()
torch.erf(x)
torch.log1p(x.abs())
torch.expm1(x)
torch.log2(x.abs())
torch.pow(x, 3)
torch.atan2(x, x * 0 + 1)
x % 2
y // 2
y / 2
y + 1.5
y * y
y.sum()
y.max()
y == 2
(y == 2).any()
(x > 0).all()
(x > 0) & (x < 1)
~m
torch.logical_and(x > 0, x < 1)
torch.isnan(x).any()
torch.isfinite(x).all().item()
torch.isinf(x / 0).sum()
bool((x > 0).any())
int(y[1])
float(x[0, 0])
[float(a) for a in v]
for_each = [r.sum().item() for r in x]; for_each
x.type(torch.float64).dtype
x.to(torch.float64)
x.to("cpu")
x.cpu()
x.double()
x.bool()
x.type_as(w).dtype
x.device.type
x.contiguous()
x.is_contiguous()
x.element_size()
x.nelement()
x.data
x.is_floating_point()
torch.is_tensor(x)
isinstance(x, torch.Tensor)
torch.float32 == torch.float
torch.isclose(v, v + 1e-9)
torch.meshgrid(v, v, indexing="ij")
torch.cartesian_prod(v, v)
torch.cdist(x, x)
torch.numel(x)
torch.squeeze(t)
torch.transpose(x, 0, 1)
torch.sum(x, dim=(0, 1))
torch.mean(x, 0)
x.sum((0, 1), keepdim=True)
torch.abs(x)
torch.sum(x > 0)
torch.add(x, x, alpha=2)
torch.mul(x, 2)
torch.sub(x, 1)
torch.div(x, 2)
torch.lerp(x, x + 1, 0.5)
torch.set_num_threads(1); torch.get_num_threads()
torch.Generator().manual_seed(3).initial_seed()
torch.randn(3, generator=torch.Generator().manual_seed(3)) # shape
torch.distributions.Categorical(logits=x).log_prob(y)
torch.nan_to_num(torch.tensor([float("nan"), 1.0]))
torch.inf
torch.pi
np.asarray(x)
np.mean(x.numpy())
x.numpy().dtype
x.detach().cpu().numpy()
torch.as_tensor(np.ones(3)).dtype
torch.quantile(v, 0.5)
torch.ones(3, dtype=torch.bool)
torch.zeros(2, dtype=torch.long)
torch.zeros(2, device="cpu")
torch.ones(2, 3, requires_grad=True).requires_grad
torch.tensor([1.0, 2.0], requires_grad=True, dtype=torch.float64).dtype
x.new_zeros(2)
x.new_tensor([1, 2])
x.view(2, -1).shape
x.argmin()
x.eq(x).all()
x.ge(0)
x.lt(0).sum()
x.ne(0).all()
x.round(decimals=1)
x.kthvalue(1)
x.addcmul(x, x, value=0.5)
v.unsqueeze(-1).repeat_interleave(2, dim=1)
v.diff()
x.swapaxes(0, 1)
x.movedim(0, 1)
x.fmod(2)
x.trunc()
x.frac()
x.logical_not()
x.broadcast_to(2, 4, 3)
torch.broadcast_tensors(v, t)[0]
torch.tensordot(x, x, dims=([1], [1]))
torch.mean((x - x.mean()) ** 2)
(((x - 0.5) ** 2).mean() + 0.01 * sum((p ** 2).sum() for p in model.parameters())).item()
1 / x
2 ** v
1 - x
torch.true_divide(x, 2)
x.sigmoid()
x.softmax(-1)
x.log_softmax(dim=1)
x.relu()
x.tanh()
x.mT
x.index_fill(0, i, 0.0)
x.scatter_add(1, y.unsqueeze(1), t)
"""
