"""Parts of objects, drawn at random."""

from tests.random_networks.draw import Draw


def part(draw: Draw, text: str, n: int) -> tuple[str, bool]:
    """Return something or some of its ``n`` elements, and whether any repeats."""
    i, low = draw.integer(0, n - 1), draw.integer(0, n - 1)
    chosen = draw.some_of(range(n), draw.integer(1, n))
    repeating = [draw.integer(0, n - 1) for _ in range(draw.integer(1, n))]
    mask = [draw.flip(0.5) for _ in range(n)]
    options = [
        *[("", False)] * 6,
        (f"[{i}]", False),
        (f"[{i - n}]", False),
        ("[::-1]", False),
        (f"[{low}:]", False),
        (f"[:{low + 1}]", False),
        (f"[{low}::2]", False),
        (f"[{low}::-1]", False),
        (f"[{chosen}]", False),
        (f"[np.array({chosen})]", False),
        (f"[{[k - n for k in chosen]}]", False),
        (f"[{repeating}]", len(set(repeating)) < len(repeating)),
        # Nengo takes a mask for repeated indices
        (f"[{mask}]" if any(mask) else "", any(mask)),
    ]
    index, repeats = draw.one_of(options)
    return text + index, repeats
