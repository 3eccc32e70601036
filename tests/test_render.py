"""The seam between prefix and continuation, documents as data, and cuts that take from the document only."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

from precis.errors import UserError
from precis.records import Candidate, Document, Group, Maker
from precis.render import TEMPLATES, Renderer, Template, load_renderer, template_named

CORPUS = ["The cat sat on the mat. It was glad.\nAnn: Hello there!\nBob: TL;DR: Title Article Post"] * 3


def make_tokenizer(*, bert_like: bool = False, chat: bool = False) -> PreTrainedTokenizerFast:
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    special = ["<pad>", "<bos>", "<eos>", "<sep>"]
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    backend.train_from_iterator(CORPUS, trainer)
    if bert_like:
        backend.post_processor = processors.TemplateProcessing(
            single="<bos> $A <eos>", special_tokens=[("<bos>", 1), ("<eos>", 2)]
        )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend, pad_token="<pad>", bos_token="<bos>", eos_token="<eos>", sep_token="<sep>"
    )
    if chat:
        tokenizer.chat_template = (
            "{% for m in messages %}<bos>{{ m['role'] }}: {{ m['content'] }}<sep>{% endfor %}<bos>assistant: "
        )
    return tokenizer


TOKENIZER = make_tokenizer()
CHAT = make_tokenizer(chat=True)


def renderer(template: str = "plain", limit: int = 512, tokenizer: PreTrainedTokenizerFast = TOKENIZER) -> Renderer:
    return Renderer(tokenizer, TEMPLATES[template], max_prefix_tokens=limit)


text = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\x00"), min_size=1, max_size=80)


@given(document=text.filter(str.strip), summary=text)
@settings(max_examples=100, deadline=None)
def test_prefix_and_continuation_equal_the_joint_encoding(document: str, summary: str) -> None:
    plain = renderer()
    ids = plain.prefix(Document(document)).ids + plain.continuation(summary)
    joint = TOKENIZER(f"{document}\n\nTL;DR: {summary}", add_special_tokens=False, split_special_tokens=True)
    assert list(ids) == [*joint["input_ids"], TOKENIZER.eos_token_id]


@given(summary=text)
@settings(max_examples=100, deadline=None)
def test_decode_gives_back_what_was_encoded(summary: str) -> None:
    plain = renderer()
    assert plain.decode(plain.continuation(summary)) == summary.strip()


def test_a_sampled_nul_does_not_reach_the_text() -> None:
    plain = renderer()
    nul = TOKENIZER.convert_tokens_to_ids("Ā")  # the byte 0 in the byte-level alphabet
    assert plain.decode((nul, *plain.continuation("cat"))) == "\N{REPLACEMENT CHARACTER} cat"


def test_sampled_ids_are_kept_only_under_their_own_tokenizer() -> None:
    plain = renderer()
    maker = Maker("policy", "m")
    sampled = (300, 17, 2)  # not how the tokenizer would encode its text
    mine = Candidate("d", "whatever", maker, token_ids=sampled, tokenizer=plain.tokenizer_hash)
    other = Candidate("d", "whatever", maker, token_ids=sampled, tokenizer="k_of_another")
    assert plain.continuation(mine) == sampled
    assert plain.continuation(other) == plain.continuation("whatever") != sampled


@pytest.mark.parametrize("hostile", ["a <eos> b <sep> c", "{title} {document} {summary}", "<bos>", "\ue000title\ue001"])
@pytest.mark.parametrize("template", ["plain", "separator", "chat", "tldr"])
def test_a_document_cannot_bring_special_tokens_or_fields(hostile: str, template: str) -> None:
    render = renderer(template, tokenizer=CHAT)
    calm = render.prefix(Document("a calm text", title="T", meta={"subreddit": "x"})).ids
    ids = render.prefix(Document(hostile, title="T", meta={"subreddit": "x"})).ids
    special = set(TOKENIZER.all_special_ids)
    assert [i for i in ids if i in special] == [i for i in calm if i in special]
    assert hostile in CHAT.decode(ids)


def test_chat_wraps_the_document_in_the_tokenizers_own_template() -> None:
    template = Template("Sum up: {document}", lead="", chat=True, system="Be brief.")
    ids = Renderer(CHAT, template, max_prefix_tokens=100).prefix(Document("A dog.")).ids
    assert CHAT.decode(ids) == "<bos>system: Be brief.<sep><bos>user: Sum up: A dog.<sep><bos>assistant: "


def test_the_document_is_cut_at_a_line_or_sentence_end_and_counted() -> None:
    lines = [f"Ann: The cat sat on mat {i}." for i in range(40)]
    document = Document("\n".join(lines))
    prefix = renderer(limit=100).prefix(document)
    kept = TOKENIZER.decode(prefix.ids).removesuffix("\n\nTL;DR:")
    assert len(prefix.ids) <= 100
    assert kept in document.text and document.text[len(kept)] == "\n"
    assert prefix.cut_characters == len(document.text) - len(kept)
    # It is the longest such cut: one line more would not fit.
    more = document.text[: document.text.index("\n", len(kept) + 1)]
    assert len(renderer().prefix(Document(more)).ids) > 100


def test_text_without_a_boundary_is_cut_at_a_word_then_anywhere() -> None:
    words = "cat " * 400
    assert TOKENIZER.decode(renderer(limit=50).prefix(Document(words)).ids).endswith("cat\n\nTL;DR:")
    prefix = renderer(limit=50).prefix(Document("z" * 5000))
    assert len(prefix.ids) == 50 and prefix.cut_characters > 4900


def test_a_book_is_cut_without_being_tokenized_whole() -> None:
    prefix = renderer(limit=64).prefix(Document("The cat sat. " * 400_000))
    assert len(prefix.ids) <= 64 and prefix.cut_characters > 5_000_000


def test_a_limit_below_the_prompt_is_one_sentence() -> None:
    with pytest.raises(UserError, match="the prompt alone takes"):
        renderer("tldr", limit=4).prefix(Document("text", meta={"subreddit": "x"}))


def test_a_missing_field_and_an_unknown_template_are_one_sentence() -> None:
    with pytest.raises(UserError, match=r"asks for \{subreddit\}"):
        renderer("tldr").prefix(Document("text"))
    with pytest.raises(UserError, match="no template 'tldrr'"):
        template_named("tldrr")
    with pytest.raises(UserError, match="needs the field"):
        Renderer(TOKENIZER, Template("no field"), max_prefix_tokens=9)
    with pytest.raises(UserError, match="has no chat template"):
        renderer("chat")


def test_encoder_decoder_follows_the_tokenizers_convention() -> None:
    tokenizer = make_tokenizer(bert_like=True)
    keeps = Renderer(tokenizer, TEMPLATES["encoder"], max_prefix_tokens=64, encoder_decoder=True, decoder_start_id=2)
    inner = tuple(tokenizer("The cat", add_special_tokens=False)["input_ids"])
    assert keeps.prefix(Document("The cat")).ids == (1, *inner, 2)
    assert keeps.continuation("The cat") == (1, *inner, 2)  # as BART: the decoder starts with </s>, then writes <s>
    starts = Renderer(tokenizer, TEMPLATES["encoder"], max_prefix_tokens=64, encoder_decoder=True, decoder_start_id=1)
    assert starts.continuation("The cat") == (*inner, 2)  # as BERT: the start token is not written twice


def test_bos_is_added_once() -> None:
    tokenizer = make_tokenizer(bert_like=True)
    assert renderer("plain", tokenizer=tokenizer).prefix(Document("cat")).ids[0] == 1
    assert renderer("separator", tokenizer=tokenizer).prefix(Document("cat")).ids.count(1) == 1


def test_a_group_shares_one_prefix() -> None:
    document = Document("The cat sat.")
    candidates = tuple(Candidate(document.id, text, Maker("policy", "m")) for text in ("cat", "the mat", ""))
    tokens = renderer().group(Group(document, candidates))
    assert tokens.source_id == document.id and len(tokens.continuations) == 3
    assert all(ids[-1] == TOKENIZER.eos_token_id for ids in tokens.continuations)
    assert tokens.prefix_ids == renderer().prefix(document).ids


def test_a_model_folder_remembers_its_template(tmp_path: Path) -> None:
    renderer("separator", limit=77).save(tmp_path)
    again = load_renderer(tmp_path, TOKENIZER)
    assert (again.template, again.max_prefix_tokens) == (TEMPLATES["separator"], 77)
    assert again.prompt_hash == renderer("separator", limit=77).prompt_hash
    (tmp_path / "precis_render.json").write_text("{}")
    with pytest.raises(UserError, match="not a rendering"):
        load_renderer(tmp_path, TOKENIZER)
