# The recipes that developers, pre-commit and .ci/run share.

# lint + types + import contracts + tests
check: lint types contracts test

lint:
    uv run ruff format --check .
    uv run ruff check .
    uv run deptry .

types:
    uv run mypy

contracts:
    uv run lint-imports

test *ARGS:
    uv run pytest {{ARGS}}

# repairs what a machine can repair
fix:
    uv run ruff check --fix .
    uv run ruff format .

# the pages in a real Chromium
browser *ARGS:
    uv run pytest -m browser tests/browser {{ARGS}}

# kill rounds and soaks: minutes long, figures come from here
endurance *ARGS:
    uv run pytest -m endurance {{ARGS}}

demo *ARGS:
    uv run analyst demo {{ARGS}}

serve *ARGS:
    uv run analyst serve {{ARGS}}

# the tables of benchmarks/
bench NAME *ARGS:
    uv run python benchmarks/{{NAME}}.py {{ARGS}}

# renew constraints.txt: names and versions only, no address of any index
constraints:
    uv export --no-dev --all-extras --no-hashes --no-annotate --no-header --no-emit-project > constraints.txt

# write docs/configuration.md from the settings
docs:
    uv run python -m service.configuration_reference > docs/configuration.md
