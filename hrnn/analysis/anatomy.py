"""A network taken apart: every analysis of one network, once, for figures and report alike."""

import dataclasses
import functools

import numpy as np

from hrnn.analysis import connectivity, defects, dynamics, integration, manifold, representation
from hrnn.base.arguments import generator, whole_number
from hrnn.inference import observe
from hrnn.network import Network
from hrnn.rollout import Rollout, rollout
from hrnn.statistics.resampling import Estimate, alone

N_STARTS = 400
N_SESSIONS_UNTRAINED = 30
FEEDBACK_RANGE = 1.5
REGULARISATION = (
    1.0  # C of all decoders but the floor's: hardly any, so that no interval hides a choice of C
)
RANKS = (1, 2, 3, 5, 10, 20)


@dataclasses.dataclass(eq=False)
class Anatomy:
    """What is known of a network from one rollout of it.

    Each part is computed when it is first asked for.

    Parameters
    ----------
    run : Rollout
        Of a network, with its states.
    seed : int
        For the splits and resamples.
    first : Network, optional
        The network before it was trained; by default an untrained one of the same size and cell.

    Examples
    --------
    >>> import hrnn
    >>> run = hrnn.rollout(hrnn.Network.init("tanh", n_hidden=6, rng=0), hrnn.Task().sample(n_sessions=8, rng=0))
    >>> Anatomy(run).verdict.kind
    'fast decay'
    """

    run: Rollout
    seed: int = 0
    first: object = None

    def __post_init__(self):
        representation.states_of(self.run)
        whole_number(self.seed, "seed", 0)

    @property
    def network(self):
        """The network that was taken apart."""
        return self.run.agent

    @functools.cached_property
    def seen(self):
        """What the semi-Markov observer of the same trials believed."""
        return observe(self.run)

    @functools.cached_property
    def components(self):
        """Principal components of all steps."""
        return representation.pca(self.run, rng=self.seed)

    @functools.cached_property
    def decoders(self):
        """Block decoders by name: full and plane, each also by_time_step and shuffled."""
        axes = self.components.axes[:2]
        decode = functools.partial(
            representation.block_decoder, self.run, regularisation=REGULARISATION, rng=self.seed
        )
        shuffled = representation.shuffled_blocks(self.run, rng=self.seed)
        return {
            "full": decode(),
            "full_by_step": decode(split="time_step"),
            "full_shuffled": decode(labels=shuffled),
            "plane": decode(axes=axes),
            "plane_by_step": decode(axes=axes, split="time_step"),
            "plane_shuffled": decode(axes=axes, labels=shuffled),
        }

    @functools.cached_property
    def untrained(self):
        """Rollout of the untrained network, on the first of the same sessions."""
        net = self.first
        if net is None:
            net = Network.init(
                self.network.cell,
                n_hidden=self.network.n_hidden,
                rng=self.seed,
                leak=self.network.leak,
            )
        sessions = self.run.sessions
        return rollout(
            net, sessions.select(np.arange(min(N_SESSIONS_UNTRAINED, sessions.n_sessions)))
        )

    @functools.cached_property
    def floors(self):
        """Block decoders of the untrained network, full and in its own plane.

        Recent stimuli already tell the block.
        """
        full = representation.block_decoder(self.untrained, rng=self.seed)
        axes = representation.pca(self.untrained, rng=self.seed).axes[:2]
        return {
            "full": full,
            "plane": representation.block_decoder(
                self.untrained, axes=axes, rng=self.seed, regularisation=full.regularisation
            ),
        }

    @functools.cached_property
    def ceiling(self):
        """Accuracy of the observer's block posterior on the test sessions."""
        return representation.observer_accuracy(self.run, self.seen, self.decoders["full"])

    @functools.cached_property
    def plane(self):
        """Plane of the first two components with the readouts in it."""
        return representation.task_plane(self.network, self.components, self.decoders["plane"])

    @functools.cached_property
    def angles(self):
        """Angle between the readouts.

        'plane'; 'full', the plane's block readout in the space of all units; 'decoder', that of the
        decoder of all units, for each regularisation."""
        full = self.decoders["full"]
        plane = self.decoders["plane"]
        decode = functools.partial(representation.block_decoder, self.run, rng=self.seed)
        by_c = {
            C: full if full.regularisation == C else decode(regularisation=C)
            for C in representation.REGULARISATIONS
        }
        return {
            "plane": representation.readout_angle(
                self.network, plane, axes=self.components.axes[:2]
            ),
            "full": representation.readout_angle(self.network, plane),
            "decoder": {
                C: representation.readout_angle(self.network, decoder)
                for C, decoder in by_c.items()
            },
        }

    @functools.cached_property
    def axes(self):
        """Readouts by name, right positive.

        Vectors (N,) where they are known, decoders where they are estimated.

        Stimulus and block, and both in the plane of two components.
        """
        stimulus = representation.stimulus_readout(self.network)
        plane = self.components.axes[:2]
        return {
            "stimulus": stimulus,
            "block": self.decoders["full"],
            "stimulus_in_plane": plane.T @ (plane @ stimulus),
            "block_in_plane": self.decoders["plane"],
        }

    @functools.cached_property
    def readouts(self):
        """The same as vectors in raw coordinates, {name: (N,)}."""
        return {name: getattr(axis, "weights", axis) for name, axis in self.axes.items()}

    @functools.cached_property
    def slopes(self):
        """Slopes of movement along the readouts against evidence and feedback."""
        return {
            of: integration.slopes(self.run, self.axes, of=of) for of in ("evidence", "feedback")
        }

    @functools.cached_property
    def belief(self):
        """Block belief beside the observer's."""
        return integration.block_belief(self.run, self.decoders["full"], self.seen)

    @functools.cached_property
    def coupling(self):
        """How the beliefs act on each other, network and observer."""
        return integration.coupling(self.run, self.decoders["full"], self.seen)

    @functools.cached_property
    def gradient_flow(self):
        """Before and after training."""
        return {
            name: integration.gradient_flow(run.agent, run, rng=self.seed)
            for name, run in (("untrained", self.untrained), ("trained", self.run))
        }

    @functools.cached_property
    def populations(self):
        """Two populations of the trained and of the untrained network."""
        return {
            name: connectivity.populations(run, rng=self.seed)
            for name, run in (("trained", self.run), ("untrained", self.untrained))
        }

    @functools.cached_property
    def weights(self):
        """Recurrent weights within and between populations."""
        return connectivity.weights_by_population(
            self.network, self.populations["trained"].label, rng=self.seed
        )

    @functools.cached_property
    def low_rank(self):
        """Agreement with the full network of those whose recurrent weights are cut to a rank."""
        ranks = (rank for rank in RANKS if rank <= self.network.n_hidden)
        return {rank: connectivity.low_rank(self.network, self.run, rank) for rank in ranks}

    @functools.cached_property
    def starts(self):
        """Visited states from which fixed points are searched."""
        chosen = generator(self.seed).choice(
            len(self.run.hidden), min(N_STARTS, len(self.run.hidden)), replace=False
        )
        return self.run.hidden[np.sort(chosen)]

    @functools.cached_property
    def fixed_points(self):
        """Under the six inputs of `dynamics.CONDITIONS`."""
        return dynamics.fixed_points(
            self.network, x=list(dynamics.CONDITIONS.values()), starts=self.starts
        )

    @functools.cached_property
    def coverage(self):
        """Fraction of starts that end at a reported stable point when the map is iterated."""
        return dynamics.coverage(self.network, self.fixed_points, self.starts)

    @functools.cached_property
    def paths(self):
        """Path between the outer stable points under each input, or None."""
        axis = self.readouts["block"]
        return {
            name: manifold.path_between(self.network, self.fixed_points, x=x, axis=axis)
            for name, x in dynamics.CONDITIONS.items()
        }

    @functools.cached_property
    def verdict(self):
        """How the block belief is held without input, for as long as the run's own blocks last."""
        return manifold.verdict(
            self.network,
            self.fixed_points,
            axis=self.readouts["block"],
            n_steps=manifold.steps_per_block(self.run),
        )

    @functools.cached_property
    def branches(self):
        """Branches of fixed points from those without input as feedback, or a one-sided stimulus.

        Varies.
        """
        rest = self.fixed_points.at((0, 0, 0))
        branches = {}
        for name, along in (("feedback", (0, 0, 1.0)), ("stimulus", (-0.5, 0.5, 0))):
            branches[name] = []
            for row in rest:
                start = self.fixed_points.points[row]
                if not any(branch.passes(start) for branch in branches[name]):
                    branches[name].append(
                        manifold.continuation(
                            self.network,
                            start,
                            x=(0, 0, 0),
                            along=along,
                            low=-FEEDBACK_RANGE,
                            high=FEEDBACK_RANGE,
                        )
                    )
        return branches

    @functools.cached_property
    def consequences(self):
        """Of defects 5 to 7 of the published code."""
        return defects.consequences(self.run, self.fixed_points, self.starts)

    def measures(self):
        """Headline numbers: {name: Estimate}, the names of the report.

        What this network or task does not define (populations of two units, beliefs before trials
        without blank steps) is left out, and `undefined` says why.
        """
        found = {}
        self.undefined = {}
        for name, group in self.groups.items():
            try:
                found |= group()
            except ValueError as error:
                self.undefined[name] = str(error)
        return found

    @property
    def groups(self):
        """Functions that return related measures, {name.

        Estimate}, or raise ValueError where they are not defined.
        """
        return {group.__name__.strip("_"): group for part in self.parts.values() for group in part}

    @property
    def parts(self):
        """The groups of 'representation', 'integration' and 'mechanism'."""
        return {
            "representation": (self._variance, self._decoding, self._angles),
            "integration": (self._slopes, self._belief, self._coupling, self._published),
            "mechanism": (self._populations, self._fixed_points, self._ranks),
        }

    def _variance(self):
        ends = representation.pca(self.run, trial_ends=True, rng=self.seed)
        return {
            "variance_pc12": _first_two(self.components),
            "participation_ratio": self.components.participation_ratio,
            "variance_pc12_trial_ends": _first_two(ends),
        }

    def _decoding(self):
        return {
            **{
                f"block_decoder_{name}": decoder.accuracy for name, decoder in self.decoders.items()
            },
            **{
                f"block_decoder_{name}_untrained": decoder.accuracy
                for name, decoder in self.floors.items()
            },
            "block_decoder_observer": self.ceiling,
        }

    def _angles(self):
        return {
            "angle_plane": self.angles["plane"],
            "angle_full": self.angles["full"],
            "angle_decoder": self.angles["decoder"][REGULARISATION],
            **{f"angle_decoder_at_C_{C:g}": angle for C, angle in self.angles["decoder"].items()},
            **{
                f"units_in_{name}_readout": alone(connectivity.readout_participation(axis)[1])
                for name, axis in self.readouts.items()
            },
        }

    def _slopes(self):
        columns = ["slope", "slope_low", "slope_high"]
        n = self.run.sessions.n_sessions
        evidence = self.slopes["evidence"]
        return {
            **{
                f"{kind}_slope{suffix}": Estimate(*evidence.loc[f"{kind}{suffix}", columns], n)
                for suffix in ("", "_in_plane")
                for kind in ("stimulus", "block")
            },
            **{
                f"slope_ratio{suffix}": integration.slope_ratio(
                    self.run, self.axes[f"stimulus{suffix}"], self.axes[f"block{suffix}"]
                )
                for suffix in ("", "_in_plane")
            },
        }

    def _published(self):
        """What the published code measured, to the letter: defects 10 and 13 to 15."""
        angles = defects.readout_angles(self.run, self.components)
        at_arrival = self.slopes["feedback"]["slope"]
        found = {f"published_angle_{name}": alone(value) for name, value in angles.items()}
        for name in ("stimulus_in_plane", "block_in_plane"):
            found[f"feedback_slope_before_arrival_{name}"] = alone(
                defects.feedback_slope(self.run, self.readouts[name])
            )
            found[f"feedback_slope_{name}"] = alone(at_arrival[name])
        return found

    def _belief(self):
        belief = self.belief
        return {
            "belief_scale": belief.scale,
            "belief_correlation": belief.correlation,
            "belief_r2": belief.r2,
            "belief_update_correlation": belief.update_correlation,
            "belief_feedback_share": belief.feedback_share,
            "belief_feedback_share_observer": belief.feedback_share_observer,
            "told_weight": belief.told_weight,
            "told_weight_observer": belief.told_weight_observer,
            "told_weight_ratio": belief.told_weight_ratio,
        }

    def _coupling(self):
        return {
            coupling_name(row.agent, row.effect): Estimate(row.value, row.low, row.high, int(row.n))
            for row in self.coupling.itertuples()
        }

    def _populations(self):
        trained = self.populations["trained"]
        untrained = self.populations["untrained"]
        return {
            "silhouette": trained.silhouette,
            "silhouette_untrained": untrained.silhouette,
            "correlation_between_populations": alone(trained.between),
            "correlation_between_populations_gained": alone(trained.between - untrained.between),
            "n_populations": alone(trained.n_clusters),
            "cliffs_delta": self.weights.delta,
        }

    def _fixed_points(self):
        found = self.fixed_points
        numbers = self.verdict.numbers
        path = self.paths["no input"]
        rest = found.at((0, 0, 0))
        moduli = np.abs(found.eigenvalues[rest, 0])
        saddle = moduli[found.n_unstable[rest] == 1]
        return {
            "n_stable": alone(numbers["n_stable"]),
            "n_saddles": alone(numbers["n_saddles"]),
            **{
                name: alone(numbers.get(name, np.nan))
                for name in ("lambda_stable", "kept_predicted", "kept_simulated")
            },
            "lambda_saddle": alone(saddle.max() if saddle.size else np.nan),
            "fixed_points_converged": alone(found.converged_fraction),
            "fixed_points_coverage": alone(self.coverage),
            "fixed_points_residual": alone(found.residual.max() if len(found.residual) else np.nan),
            "path_drift": alone(numbers.get("largest_drift", np.nan)),
            "path_contraction": alone(numbers.get("contraction", np.nan)),
            **{
                f"path_angle_{name}": alone(
                    path.angles(axis)[0] if path and path.converged else np.nan
                )
                for name, axis in self.readouts.items()
            },
        }

    def _ranks(self):
        return {
            f"rank_{rank}_{name}": alone(value)
            for rank, row in self.low_rank.items()
            for name, value in row.items()
        }


def coupling_name(agent, effect):
    """Name of the measure of an effect of `integration.coupling`.

    For the network or the observer.
    """
    return f"coupling_{effect.replace(' ', '_').replace('×', 'x')}{'' if agent == 'network' else '_observer'}"


def _first_two(components):
    share = components.cumulative
    if len(share.value) < 2:
        raise ValueError("one unit has one component")
    return Estimate(share.value[1], share.low[1], share.high[1], share.n)
