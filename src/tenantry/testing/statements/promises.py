"""The functions and operators of PostgreSQL that are known not to answer null, by name.

The lists are reasoned, not derived: PostgreSQL does not say which functions never answer null, and `strict`
only says what a null argument does. What is not listed here may answer null.
"""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# never null, whatever they are given
NEVER = _words("""
    now transaction_timestamp statement_timestamp clock_timestamp tenantry.now tenantry.tick
    gen_random_uuid uuidv4 uuidv7 random pg_backend_pid pg_current_xact_id pg_current_snapshot
    pg_try_advisory_xact_lock concat
    jsonb_build_object jsonb_build_array json_build_object json_build_array
""")

# null only for a null; left out on purpose: extract and date_part (null for infinity), to_char (null for an
# empty format), substring (null where a pattern does not match), array_length (null for an empty array)
FAITHFUL = _words("""
    to_jsonb to_json row_to_json array_to_json jsonb_set jsonb_array_length json_array_length
    jsonb_typeof lower upper initcap btrim ltrim rtrim lpad rpad left right substr replace translate
    repeat reverse split_part regexp_replace length char_length character_length octet_length
    starts_with strpos concat_ws quote_literal md5 sha224 sha256 sha384 sha512 encode decode
    convert_to convert_from hashtext hashtextextended abs ceil ceiling floor round trunc mod power
    sqrt sign width_bucket date_trunc date_bin timezone to_timestamp make_interval make_date
    make_timestamptz justify_hours justify_days cardinality array_append array_prepend array_cat
    array_remove array_to_string string_to_array pg_snapshot_xmin pg_snapshot_xmax nextval
    generate_series jsonb_array_elements json_array_elements jsonb_object_keys json_object_keys
    regexp_split_to_table
""")

# aggregates and window functions that answer a number for no rows as well
COUNTS = _words("count row_number rank dense_rank percent_rank cume_dist")

# aggregates that answer something for at least one row, unless all that they are given is null
OF_VALUES = _words("min max sum avg bool_and bool_or every bit_and bit_or bit_xor string_agg")

# aggregates that answer something for at least one row, nulls included
OF_ROWS = _words("array_agg json_agg jsonb_agg json_object_agg jsonb_object_agg")

# operators whose answer is null only for a null; the json arrows and paths are not among them
OPERATORS = _words("= <> < <= > >= + - * / % || ~~ !~~ ~~* !~~* ~ !~ ~* !~* @> <@ && ^@")

FUNCTIONS = NEVER | FAITHFUL | COUNTS | OF_VALUES | OF_ROWS
