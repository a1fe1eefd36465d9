"""Which version of the learned heads a process answers by; a new one is taken up without a restart.

What stands in the store decides; every process looks there before each batch, which is one row by an index.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from classifiers import model_folder, transformer
from classifiers.base import Busy
from classifiers.heads import Heads, Learner
from classifiers.model_folder import Bands
from classifiers.transformer import TransformerClassifier
from store import attention, models
from store.models import SHIPPED

if TYPE_CHECKING:
    from pipeline.deployment import Deployment

log = logging.getLogger(__name__)

KIND = "model"  #: of the attention rows
#: Head -> the label and its probability.
Answer = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class _Shadow:
    version_id: int
    heads: Heads
    reader: TransformerClassifier  # a second one: the first answers, in processes of its own perhaps

    def answer(self, text: str) -> Answer:
        vector = self.reader.pooled(text)
        answer = {}
        for name, head in self.heads.heads.items():
            probable = head.probabilities(vector)
            best = int(probable.argmax())
            answer[name] = {"label": head.labels[best], "p": round(float(probable[best]), 4)}
        return answer


class Serving:
    """What this process answers by. One thread at a time may use it."""

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        self.number = SHIPPED  #: of the version that answers here
        self._bands: Bands = deployment.bands
        self._unfit: int | None = None  # a live version that could not be used; said once, not with every batch
        self._shadow: _Shadow | None = None
        self._unfit_shadow: int | None = None

    def take_up(self) -> Bands:
        """Answer by the version that is live now; gives its bands.

        One that can't be used is put before people, and what answered before goes on answering.
        """
        with self._deployment.store.reading() as session:
            row = models.live(session)
            wanted = SHIPPED if row is None else row.number
            if wanted == self._unfit or (wanted == self.number and self._unfit is None):
                return self._bands
            raw = None if row is None else models.version(session, wanted).heads
        before, unfit = self.number, self._unfit
        try:
            self._use(wanted, raw)
        except Busy as err:  # with the next batch, then
            log.warning("version %d is not taken up yet: %s", wanted, err, extra={"version": wanted})
        except Exception as err:  # a version may hold anything: what answered before must go on answering
            log.exception("version %d can't be used", wanted, extra={"version": wanted})
            self._unfit = wanted
            self._tell(wanted, f"version {wanted} of the classifier can't be used: {err}")
        else:
            log.info("version %d answers from now on, after %d", wanted, before, extra={"version": wanted})
            with self._deployment.store.writing() as session:
                for settled in {before, wanted, unfit} - {None}:  # what was unfit is no longer asked for
                    attention.settle(session, KIND, f"version:{settled}")
        return self._bands

    def _use(self, wanted: int, raw: bytes | None) -> None:
        classifier, bands = self._deployment.classifier, self._deployment.bands
        if raw is not None:
            learned = Heads.from_bytes(raw).bands(bands)
            others = self._deployment.settings.classifier.heads  # that a model of the city's choice answers
            own = {head: band for head, band in learned.please_check.items() if head not in others}
            bands = replace(bands, please_check={**bands.please_check, **own})
        if isinstance(classifier, Learner):
            classifier.use(raw, str(wanted) if raw is not None else "")
        elif raw is not None:
            raise ValueError(f"a {type(classifier).__name__} can't answer by what was learned")
        # At once: by whose bands its answers are judged must never wait for the store.
        self.number, self._bands, self._unfit = wanted, bands, None

    def _tell(self, number: int, summary: str) -> None:
        with self._deployment.store.writing() as session:
            answering = "the model as it was shipped" if self.number == SHIPPED else f"version {self.number}"
            attention.raise_(
                session,
                kind=KIND,
                ref=f"version:{number}",
                summary=f"{summary}; {answering} goes on answering",
                remedy="`harken learn rollback`, then `harken learn run` for a version that fits this model",
            )

    def beside(self, texts: Sequence[str]) -> tuple[int, list[Answer]] | None:
        """What the version in the shadow says of each text, and its id; None where there is none, or it fails.

        While there is one each post is read twice, the second time here and by one thread.
        """
        with self._deployment.store.reading() as session:
            row = models.in_shadow(session)
            if row is None:
                self._shadow = None
                return None
            if row.number == self._unfit_shadow:
                return None
            held = self._shadow if self._shadow is not None and self._shadow.version_id == row.id else None
            raw = b"" if held is not None else models.version(session, row.number).heads
        try:
            self._shadow = held = held or _look_at(row.id, raw)
            return row.id, [held.answer(text) for text in texts]
        except Exception as err:  # whatever it does in the shadow, the live one's answers stand
            log.exception("version %d fails in the shadow", row.number, extra={"version": row.number})
            self._unfit_shadow = row.number
            self._tell(row.number, f"version {row.number} of the classifier can't be used in the shadow: {err}")
            return None


def _look_at(version_id: int, raw: bytes) -> _Shadow:
    heads, reader = Heads.from_bytes(raw), transformer.load(threads=1)
    heads.must_fit(reader.base, width=len(reader.pooled("")))
    return _Shadow(version_id, heads, reader)


def base() -> str:
    """The shipped model's name and version, as learned heads name what they were learned over."""
    config = model_folder.read_config(model_folder.SHIPPED)
    return f"{config.name}-{config.version}"
