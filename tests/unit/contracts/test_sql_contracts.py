"""What a contract gets wrong of its tables is said with file, line and the nearest known name."""

from __future__ import annotations

import pytest

from pv_testing.contracts import load_contract
from pv_testing.core.errors import ConfigError
from pv_testing.core.places import contract_path

WRONG = [
    ("sql: {insert: SAMPLE, at_once: 50}", "sql: {insert: SAMPEL, at_once: 50}", "did you mean 'SAMPLE'"),
    ("sql: {insert: SAMPLE, at_once: 50}", "path: /sample", "has no meaning for a database"),
    ("sql: {insert: SAMPLE, at_once: 50}", "sql: {insert: SAMPLE, update: SAMPLE}", "must say one of select, insert"),
    ("key: [PROJECT, TEXT_ID]", "key: [PROJECT, TEXTID]", "there is no column 'TEXTID'; did you mean 'TEXT_ID'"),
    ("      key: [PROJECT, TEXT_ID]\n", "", "has no key"),
    ("id: SAMPLE_NUMBER", "id: NUMBER", "there is no column 'NUMBER'"),
    ("sr_number: PROJECT\n", "sr_number: PROJEKT\n", "did you mean 'PROJECT'"),
    ("query: {SAMPLE_NUMBER: SAMPLE_NUMBER}", "query: {SAMPLE_NUMBER: 'SAMPLE_NUMBER ~'}", "is no comparison"),
    ("stamps: {REVISION: revision}", "stamps: {EXECUTION2: key}", "there is no column 'EXECUTION2'"),
    ("parent: {TEST_NUMBER: TEST_NUMBER}", "parent: {TEST_NO: TEST_NUMBER}", "there is no column 'TEST_NO'"),
    ("measurements: {to: RESULT, each", "measurements: {to: RESULTS, each", "there would never be a line"),
    ("changes: {by: ENTRY_DATE", "changes: {by: ENTRYDATE", "did you mean 'ENTRY_DATE'"),
    ("time_zone: UTC", "time_zone: Europe/Berlin", "an overlap of more than 3600 seconds"),
    ("time_zone: UTC", "time_zone: Mars/Olympus", "is no time zone"),
    ("writes: true", "writes: false", "writes, and the contract only reads"),
    ("provider: SQL\n", "provider: SQL\nidentity: {path: /me, who: name}\n", "says by itself who is asking"),
    ("key: \"{EXECUTION}\"\n", "key: \"{RUN}\"\n", "RUN"),
    ("find:\n      sql: {select: TEST}", "find:\n      sql: {update: TEST}", "must say one of select"),
    ("    TEST:\n", "    \"TE ST\":\n", "TE ST"),
]  # fmt: skip


@pytest.mark.parametrize(("there", "instead", "message"), WRONG)
def test_what_a_contract_gets_wrong_of_its_tables(tmp_path, there, instead, message):
    text = contract_path("lims_sql").read_text(encoding="utf-8")
    assert there in text
    path = tmp_path / "lims_ours.yaml"
    path.write_text(text.replace(there, instead, 1), encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_contract(path)
    assert message in str(caught.value)
    assert "lims_ours.yaml:" in str(caught.value)


def test_a_contract_without_tables_can_t_name_one(tmp_path):
    text = contract_path("lims_custom").read_text(encoding="utf-8")
    path = tmp_path / "lims_ours.yaml"
    path.write_text(text.replace("operations:\n", "operations:\n  get_x: {sql: {select: X}, list: rows}\n", 1), "utf-8")
    with pytest.raises(ConfigError, match="the contract names no tables"):
        load_contract(path)


def test_calls_become_requests_whose_repetition_is_known():
    contract = load_contract("lims_sql")
    create = contract.operations["create_sample"]
    assert (create.call.method, create.update.method, create.find.call.method) == ("POST", "PATCH", "GET")
    assert create.bulk.size == 50
    assert "STATUS" not in create.update.fields
    assert contract.rules.not_processed == {401, 403, 503}
