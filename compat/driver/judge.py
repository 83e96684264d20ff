"""Plays a case natively and under grivet and says how the two compare."""

import http.client
from dataclasses import dataclass, field

from catalogue import Case
from process import Seen
from stage import Figure, Stage
from trouble import Trouble

# Kernel threads that a process may have under grivet: the one that runs the threads, and its few helpers for calls that only the kernel
# can wait in.
FEW = 9


@dataclass
class Outcome:
    """What one run of a case came to. `result` is empty when all went well."""

    result: str = ""
    detail: str = ""
    answers: dict[str, object] = field(default_factory=dict)
    figures: dict[str, Figure] = field(default_factory=dict)
    seen: Seen = field(default_factory=Seen)


@dataclass
class Verdict:
    """One line of the table."""

    case: Case
    version: str
    native: Outcome
    grivet: Outcome | None
    result: str
    detail: str


def play(case: Case, stage: Stage) -> Outcome:
    """Runs `case` once; whatever it started is dead afterwards."""
    outcome = Outcome()
    try:
        case.body(stage)
    except Trouble as trouble:
        outcome.result, outcome.detail = trouble.result, str(trouble)
    except TimeoutError as error:
        outcome.result, outcome.detail = "hangs", f"the client waits in vain ({error}){stage.calls()}"
    except (OSError, EOFError, http.client.HTTPException, ValueError) as error:
        outcome.result, outcome.detail = "fails", f"the client: {type(error).__name__}: {error}"
    finally:
        dead = stage.dead() if outcome.result else None
        if dead and outcome.result == "fails" and "exit status" not in dead:
            outcome.result, outcome.detail = "crashes", f"{dead}; {outcome.detail}"
        stage.close()
    outcome.answers, outcome.figures, outcome.seen = stage.answers, stage.figures, stage.seen
    return outcome


def compare(case: Case, version: str, native: Outcome, grivet: Outcome | None) -> Verdict:
    """The verdict on a native run and one under grivet."""
    verdict = Verdict(case, version, native, grivet, "same", "")
    if native.result:
        verdict.result, verdict.detail = "native fails", f"{native.result}: {native.detail}"
    elif grivet is None:
        verdict.result = "native only"
    elif grivet.result:
        verdict.result, verdict.detail = grivet.result, grivet.detail
        if grivet.result == "fails":
            verdict.result = "differs"
    else:
        other = [name for name in native.answers | grivet.answers if native.answers.get(name) != grivet.answers.get(name)]
        if other:
            verdict.result = "differs"
            verdict.detail = "; ".join(
                f"{name}: {native.answers.get(name)!r:.80} natively, {grivet.answers.get(name)!r:.80} under grivet" for name in other
            )
        elif case.stays_out:
            if grivet.seen.green_threads == 0 and len(grivet.seen.remarks) == 1 and case.stays_out in grivet.seen.remarks[0]:
                verdict.detail = case.limit
            else:
                verdict.result, verdict.detail = "differs", f"grivet does not say in one line that it stays out: {grivet.seen.remarks}"
        elif grivet.seen.remarks:
            verdict.result, verdict.detail = "differs", grivet.seen.remarks[0]
        elif grivet.seen.kernel_threads > FEW:
            verdict.result, verdict.detail = "differs", f"{grivet.seen.kernel_threads} kernel threads under grivet"
        elif grivet.seen.green_threads == 0 and grivet.seen.kernel_threads >= native.seen.kernel_threads > 1:
            verdict.result, verdict.detail = ("same", case.limit) if case.limit else ("differs", "grivet made none of its threads")
    return verdict
