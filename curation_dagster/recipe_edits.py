"""The edits of a recipe: steps that change the text, in memory, in the recipe's order."""

from __future__ import annotations

from typing import Literal, get_args

from pydantic import Field

from curation_dagster.section import Section, Share

PiiKind = Literal["private_key", "key", "email", "iban", "ipv6", "ip", "card", "phone"]


class Normalize(Section):
    """Edit: Unicode NFC, line ends to LF, control characters removed."""

    edit: Literal["normalize"]


class Mask(Section):
    """Edit: replace personal data by values keyed by the content they replace."""

    edit: Literal["mask"]
    email: bool = Field(default=True, description="user-<8 hex>@example.com (RFC 2606).")
    ip: bool = Field(default=True, description="Public IPv4 by TEST-NET addresses (RFC 5737).")
    ipv6: bool = Field(default=False, description="Public IPv6 by 2001:db8::/32 (RFC 3849).")
    phone: bool = Field(default=False, description="ddd-555-01dd, reserved for fiction.")
    iban: bool = Field(default=False, description="IBAN_ and eight letters.")
    card: bool = Field(default=False, description="Payment cards: CARD_ and eight letters.")
    key: bool = Field(default=False, description="Access tokens: KEY_ and eight letters.")
    private_key: bool = Field(default=False, description="PEM: PRIVATE_KEY_ and eight letters.")

    @property
    def kinds(self) -> tuple[PiiKind, ...]:
        """The kinds to replace."""
        return tuple(kind for kind in get_args(PiiKind) if getattr(self, kind))


class C4Lines(Section):
    """Edit: C4's line filters (Raffel et al., 2020), as datatrove's C4QualityFilter applies them."""

    edit: Literal["c4_lines"]
    max_word_chars: int = Field(default=1000, ge=1, description="A longer word drops its line.")
    citations: bool = Field(default=True, description="Remove [1], [edit], [citation needed].")
    terminal_punctuation: bool = Field(
        default=True, description="""Keep only lines that end in . ? ! " ' and not in '...'."""
    )
    min_words: int = Field(default=3, ge=0, description="Words by white space, of a line.")
    javascript: bool = Field(default=True, description="Drop lines with 'javascript'.")
    policy: bool = Field(default=True, description="Drop lines about cookies and terms of use.")


class DclmText(Section):
    """Edit: what DCLM-Baseline does to a text before its rules (Li et al., 2024)."""

    edit: Literal["dclm_text"]
    urls: bool = Field(default=True, description="Remove urls and addresses of four numbers.")
    pages: Literal["all", "dclm"] = Field(
        default="all",
        description="dclm: urls go only where the text starts with a top-level domain's letters.",
    )
    max_newlines: int = Field(
        default=2, ge=0, description="LFs in a row; those beyond are removed."
    )


class RefinedWebLines(Section):
    """Edit: RefinedWeb's line-wise corrections (Penedo et al., 2023), with DCLM's numbers."""

    edit: Literal["refinedweb_lines"]
    max_uppercase_ratio: Share = Field(default=0.5, description="Capitals of a line's characters.")
    max_digit_ratio: Share = Field(default=0.999999, description="Digits of a line's characters.")
    counters: bool = Field(default=True, description="Drop lines like '3 likes', '1.2k views'.")
    min_words: int = Field(default=2, ge=0, description="Words by white space, of a line.")
    max_phrase_words: int = Field(
        default=10, ge=0, description="Longer lines keep 'items in cart' and the like; 0: all do."
    )
    phrases: Literal["substring", "line"] = Field(
        default="substring", description="What goes: the phrase, or the line it is in."
    )


class RedStoneSentences(Section):
    """Edit: RedStone-Web's corrections (Chang et al., 2024): a sentence a line, without some."""

    edit: Literal["redstone_sentences"]
    max_uppercase_ratio: Share = Field(default=0.6, description="Capitals of a sentence's letters.")
    phrases: bool = Field(
        default=False, description="Drop 'sign in', 'read more...', 'items in cart'."
    )
