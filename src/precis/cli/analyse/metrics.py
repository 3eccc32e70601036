"""`precis analyse metrics`: which automatic measures choose as people do?"""

from __future__ import annotations

from ..app import DEFAULT_STORE, JsonOption, SeedOption, StoreOption
from ..work import DatasetOption, SplitOption
from .finish import OutOption, finish
from .reading import LabelersOption, pooling_warnings, read_choices, read_groups, show_block


def metrics_command(
    labelers: LabelersOption = None,
    dataset: DatasetOption = None,
    split: SplitOption = None,
    store: StoreOption = DEFAULT_STORE,
    seed: SeedOption = 0,
    out: OutOption = None,
    as_json: JsonOption = False,
) -> None:
    """Agreement of metrics and scoring judges with labelers, with ensembles of them, and with one another."""
    from ...evaluation.candidatemetrics import judge_metrics, logp_metrics, rule_metrics
    from ...evaluation.metricagreement import metric_analysis
    from ...evaluation.plain import to_plain
    from ...report.metric_blocks import metrics_findings, metrics_sections, with_people_table

    groups = read_groups(store, dataset, split)
    choices = read_choices(groups, labelers)
    compared = {side.id for choice in choices for side in (choice.a, choice.b)}
    metrics = rule_metrics(groups, compared) | logp_metrics(groups)
    for name, judge in judge_metrics(groups).items():
        if compared & judge.values.keys() and name not in metrics:
            metrics[name] = judge
    found = metric_analysis(choices, list(metrics.values()), seed=seed)
    for title, on in (("all pairs", found.all_pairs), ("pairs of samples of one system", found.same_system)):
        if on.items:
            show_block(with_people_table(found, on, title))
    finish(
        "Metrics and people",
        metrics_sections(found),
        to_plain(found),
        findings=metrics_findings(found),
        warnings=pooling_warnings(choices),
        seed=seed,
        out=out,
        as_json=as_json,
    )
