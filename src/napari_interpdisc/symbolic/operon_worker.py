"""Operon's worker process: ``python -m napari_interpdisc.symbolic.operon_worker FOLDER``.

Operon regresses on the target with two objectives, R² (after the best scale and offset) and
length. It knows no weights of cells, so the cells of the rarer class are repeated.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from napari_interpdisc.symbolic.channel import Channel, main_channel
from napari_interpdisc.symbolic.settings import SearchSettings

BINARY = {"+": "Add", "-": "Sub", "*": "Mul", "/": "Div"}
UNARY = {
    "square": "Square",
    "exp": "Exp",
    "log": "Log",
    "sqrt": "Sqrt",
    "abs": "Abs",
    "sin": "Sin",
    "cos": "Cos",
    "tanh": "Tanh",
}
SIGNS = {name: sign for sign, name in BINARY.items()}
FUNCTIONS = {name: function for function, name in UNARY.items()}
EACH_LENGTH = 3


def max_length(settings: SearchSettings) -> int:
    """Operon's length for our size: it counts a latent and its weight as one node, we as three."""
    return max(3, round(0.6 * settings.max_size))


def repeated(weight: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Rows (M,) that stand for cells with weights (N,): each as often as its weight says."""
    times = np.maximum(1, np.rint(weight / weight.min())).astype(np.int64)
    return np.repeat(np.arange(len(weight)), times)


def search(
    z: npt.NDArray[np.float64],
    y: npt.NDArray[np.float64],
    names: Sequence[str],
    settings: SearchSettings,
    progress: Any = None,
) -> list[dict[str, object]]:
    """Search with Operon, in this process.

    Parameters
    ----------
    z
        (N, L) latents.
    y
        (N,) target.
    names
        L names of the latents.
    settings
        What to search, and for how long.
    progress
        Called with (generations done, generations).

    Returns
    -------
    The best few expressions of each length in the last population, and Operon's own Pareto front.
    """
    import pyoperon as op

    problem, dataset, inputs = _problem(op, z, y, settings)
    grammar, rows = problem.PrimitiveSet, op.Range(0, dataset.Rows)
    length, depth = max_length(settings), 10
    creator = op.BalancedTreeCreator(grammar, inputs, 0.0)
    coefficients = op.NormalCoefficientInitializer()
    coefficients.ParameterizeDistribution(0, 1)
    initializer = op.UniformLengthTreeInitializer(creator)
    initializer.ParameterizeDistribution(grammar.FunctionArityLimits()[0] + 1, min(10, length))
    initializer.MinDepth, initializer.MaxDepth = 1, 1000

    # Operon keeps pointers to these: the names keep them alive
    table = op.DispatchTable()
    optimizer = op.LMOptimizer(table, problem, settings.constant_steps, 0)
    fit, short = op.Evaluator(problem, table, op.R2(), True), op.LengthEvaluator(problem)
    evaluator = op.MultiEvaluator(problem)
    budget = 4 * settings.individuals * (settings.generations + 1) * (settings.constant_steps + 1)
    for part in (fit, short):
        part.Budget = budget
        evaluator.Add(part)
    evaluator.Budget = budget
    comparison = op.CrowdedComparison()
    selectors = [op.TournamentSelector(comparison) for _ in range(2)]
    for selector in selectors:
        selector.TournamentSize = 5
    one, many = op.NormalOnePointMutation(), op.NormalMultiPointMutation()
    for change in (one, many):
        change.ParameterizeDistribution(0, 1)
    changes = [
        one,
        many,
        op.ChangeVariableMutation(inputs),
        op.ChangeFunctionMutation(grammar),
        op.ReplaceSubtreeMutation(creator, coefficients, depth, length),
        op.InsertSubtreeMutation(creator, coefficients, depth, length),
        op.RemoveSubtreeMutation(grammar),
    ]
    mutation = op.MultiMutation()
    for change in changes:
        mutation.Add(change, 1.0)
    crossover = op.SubtreeCrossover(0.9, depth, length)
    local = op.CoefficientOptimizer(optimizer)
    generator = op.BasicOffspringGenerator(evaluator, crossover, mutation, *selectors, local)
    reinserter, sorter = op.KeepBestReinserter(comparison), op.RankSorter()
    config = op.GeneticAlgorithmConfig(
        generations=settings.generations,
        max_evaluations=budget,
        local_iterations=settings.constant_steps,
        population_size=settings.individuals,
        pool_size=settings.individuals,
        p_crossover=1.0,
        p_mutation=0.25,
        epsilon=1e-5,
        seed=settings.seed,
    )
    algorithm = op.NSGA2Algorithm(
        config, problem, initializer, coefficients, generator, reinserter, sorter
    )

    def report() -> None:
        if progress is not None:
            progress(min(algorithm.Generation, settings.generations), settings.generations)

    algorithm.Run(op.RandomGenerator(settings.seed), report, 1, False)

    found: list[dict[str, object]] = []
    kinds = {int(kind): name for name, kind in _kinds(op).items()}
    labels = dict(zip(inputs, names, strict=True))
    for individual in _distinct(algorithm):
        values = op.Evaluate(table, individual.Genotype, dataset, rows)
        scale, offset = op.FitLeastSquares(
            np.ascontiguousarray(values, np.float64), np.ascontiguousarray(y, np.float64)
        )
        if np.isfinite((scale, offset)).all():
            nodes, loss = individual.Genotype.Nodes, 1.0 + float(individual.GetFitness(0))
            text = f"{float(scale)!r}*({as_text(nodes, kinds, labels)}) + {float(offset)!r}"
            found.append({"expression": text, "size": len(nodes), "loss": loss})
    return found


def _problem(
    op: Any, z: npt.NDArray[np.float64], y: npt.NDArray[np.float64], settings: SearchSettings
) -> tuple[Any, Any, list[int]]:
    """Operon's problem, its data set, and the hashes of the L inputs."""
    dataset = op.Dataset(np.asfortranarray(np.column_stack((z, y))))
    variables = sorted(dataset.Variables, key=lambda variable: variable.Index)
    target, inputs = variables[-1], [variable.Hash for variable in variables[:-1]]
    problem = op.Problem(dataset)
    problem.TrainingRange = op.Range(0, dataset.Rows)
    problem.TestRange = op.Range(dataset.Rows - 1, dataset.Rows)
    problem.Target = target
    problem.InputHashes = inputs
    symbols = int(op.NodeType.Constant) | int(op.NodeType.Variable)
    for name in settings.binary_operators:
        symbols |= int(getattr(op.NodeType, BINARY[name]))
    for function in settings.unary_operators:
        symbols |= int(getattr(op.NodeType, UNARY[function]))
    problem.ConfigurePrimitiveSet(symbols)
    return problem, dataset, inputs


def _distinct(algorithm: Any) -> Iterator[Any]:
    """Individuals of different shape: Operon's Pareto front, then the best few of each length."""
    front = list(algorithm.BestFront)
    others = sorted(algorithm.Individuals, key=lambda individual: float(individual.GetFitness(0)))
    shapes: set[tuple[object, ...]] = set()
    kept: dict[int, int] = {}
    for rank, individual in enumerate([*front, *others]):
        nodes = individual.Genotype.Nodes
        shape = tuple((int(node.Type), node.HashValue if node.IsVariable else 0) for node in nodes)
        size = len(nodes)
        if shape in shapes or not np.isfinite(float(individual.GetFitness(0))):
            continue
        if rank >= len(front) and kept.get(size, 0) >= EACH_LENGTH:
            continue
        shapes.add(shape)
        kept[size] = kept.get(size, 0) + 1
        yield individual


def as_text(nodes: Sequence[Any], kinds: dict[int, str], labels: dict[int, str]) -> str:
    """An expression in our form, of Operon's nodes in postfix order.

    The first argument of a node stands right before it; latents carry a weight; a sum or product
    may have any number of arguments, and a difference or quotient of one is −x or 1/x.
    """
    stack: list[str] = []
    for node in nodes:
        kind, arity = kinds.get(int(node.Type), ""), int(node.Arity)
        arguments = [stack.pop() for _ in range(arity)]
        if node.IsVariable:
            stack.append(f"({float(node.Value)!r}*{labels[node.HashValue]})")
        elif kind == "Constant":
            stack.append(f"({float(node.Value)!r})")
        elif kind in SIGNS and arity == 1:
            form = {"Sub": "(-{})", "Div": "inv({})"}.get(kind, "{}")
            stack.append(form.format(arguments[0]))
        elif kind in SIGNS:
            stack.append(f"({SIGNS[kind].join(arguments)})")
        else:
            stack.append(f"{FUNCTIONS.get(kind, kind)}({arguments[0]})")
    return stack[-1]


def _kinds(op: Any) -> dict[str, Any]:
    return {name: getattr(op.NodeType, name) for name in (*SIGNS, *FUNCTIONS, "Constant")}


def _main(channel: Channel) -> None:
    try:
        import pyoperon  # noqa: F401
    except ImportError as fault:
        channel.fault(
            "missing",
            f"Operon could not be loaded ({fault}); install it with 'pip install pyoperon', or "
            "choose the engine 'pysr'.",
        )
        return
    settings = SearchSettings.model_validate(channel.request["settings"])
    with np.load(channel.folder / "arrays.npz", allow_pickle=False) as arrays:
        z, y, weight = (arrays[name] for name in ("z", "y", "weight"))
    rows = repeated(weight)
    names = list(channel.request["names"])
    try:
        channel.result(search(z[rows], y[rows], names, settings, channel.progress))
    except Exception as fault:
        channel.fault("failed", f"{type(fault).__name__}: {fault}")


if __name__ == "__main__":
    _main(main_channel())
