"""Payloads that run one of the built-in calculations."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from inspect import getdoc
from typing import Annotated, Any, Literal, Self

from pydantic import (
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    JsonValue,
    ModelWrapValidatorHandler,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    field_validator,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, from_json

from scheduler_service.payloads import crunch
from scheduler_service.payloads.base import Payload
from scheduler_service.payloads.bounded import check_all
from scheduler_service.payloads.choice import Choice
from scheduler_service.payloads.numbers import Whole
from scheduler_service.sandbox.contract.spec import PythonCode


def _example(operation: str, **parameters: int) -> ConfigDict:
    example: dict[str, JsonValue] = {"type": "number_crunching", "operation": operation, **parameters}
    return ConfigDict(title=operation, json_schema_extra={"examples": [example]})


Seed = Annotated[
    int,
    Field(
        strict=True,
        ge=0,
        le=2**63 - 1,
        description="Seed of the random numbers, 0 to 2^63 - 1: the same seed gives the same numbers. Default 0.",
    ),
    Whole,
]
_SELECTS = Field(description="Selects the calculation.")
# Below the square root of the largest float, so that the variance stays finite.
LARGEST = 1e150
Value = Annotated[float, Field(strict=True, ge=-LARGEST, le=LARGEST)]


def _check_values(values: Any, handler: ValidatorFunctionWrapHandler) -> Any:
    return check_all(values, handler, _is_value, right=0.0)


def _is_value(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and -LARGEST <= value <= LARGEST


class NumberCrunchingPayload(Payload):
    """A calculation, by its `operation`. The answer is printed as one line of JSON and is the run's `result`.

    At the bounds of its parameters an operation takes less than a minute and less than 512 MB of memory, which is what
    a job has by default.
    """

    model_config = ConfigDict(title="Number crunching")

    type: Annotated[Literal["number_crunching"], Field(description="Selects this kind of payload.")]
    operation: str

    @model_validator(mode="wrap")
    @classmethod
    def _choose(cls, value: Any, handler: ModelWrapValidatorHandler[Self], info: ValidationInfo) -> Any:
        return _operation.validate(value, info) if cls is NumberCrunchingPayload else handler(value)

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        if cls is not NumberCrunchingPayload:
            return super().__get_pydantic_json_schema__(schema, handler)
        return {"title": "Number crunching", "description": getdoc(cls), **_operation.json_schema(handler)}

    def command(self) -> PythonCode:
        """Return the operation's program with a call that passes the parameters."""
        parameters = self.model_dump_json(exclude={"type", "operation"})
        call = f"print(json.dumps(compute(**json.loads({parameters!r})), allow_nan=False))"
        return PythonCode(f"{_program(self.operation)}\n\nimport json\n\n{call}\n")

    def result(self, output: str) -> JsonValue:
        """Return the answer from the last line of the output, or None if the output was truncated."""
        try:
            answer: JsonValue = from_json(output.rstrip().rpartition("\n")[2], allow_inf_nan=False)
        except ValueError:
            return None
        return answer


class Fibonacci(NumberCrunchingPayload):
    """The n-th Fibonacci number, exactly: `value` holds its digits as a string, `digits` says how many they are."""

    model_config = _example("fibonacci", n=100)

    operation: Annotated[Literal["fibonacci"], _SELECTS]
    n: Annotated[
        int, Field(strict=True, description="Which Fibonacci number, 0 to 1,000,000.", ge=0, le=1_000_000), Whole
    ]


class Factorial(NumberCrunchingPayload):
    """The factorial of n, exactly: `value` holds its digits as a string, `digits` says how many they are."""

    model_config = _example("factorial", n=50)

    operation: Annotated[Literal["factorial"], _SELECTS]
    n: Annotated[int, Field(strict=True, description="The number, 0 to 50,000.", ge=0, le=50_000), Whole]


class PrimeNumbers(NumberCrunchingPayload):
    """How many primes there are up to and including `limit`, the largest of them, the first and the last ten."""

    model_config = _example("prime_numbers", limit=1_000_000)

    operation: Annotated[Literal["prime_numbers"], _SELECTS]
    limit: Annotated[
        int, Field(strict=True, description="Largest number to test, 0 to 100,000,000.", ge=0, le=100_000_000), Whole
    ]


class MatrixMultiplication(NumberCrunchingPayload):
    """The product of two random matrices of `size` by `size` digits: its sum, trace, extremes and upper left corner."""

    model_config = _example("matrix_multiplication", size=500, seed=42)

    operation: Annotated[Literal["matrix_multiplication"], _SELECTS]
    size: Annotated[
        int, Field(strict=True, description="Rows and columns of each matrix, 1 to 3,000.", ge=1, le=3000), Whole
    ]
    seed: Seed = 0


class MonteCarloPi(NumberCrunchingPayload):
    """Pi, estimated from `samples` random points."""

    model_config = _example("monte_carlo_pi", samples=1_000_000, seed=42)

    operation: Annotated[Literal["monte_carlo_pi"], _SELECTS]
    samples: Annotated[
        int,
        Field(strict=True, description="Number of random points, 1 to 1,000,000,000.", ge=1, le=1_000_000_000),
        Whole,
    ]
    seed: Seed = 0


class Statistics(NumberCrunchingPayload):
    """Mean, population variance, quantiles and extremes of `values`, or of `size` random normal numbers."""

    model_config = _example("statistics", size=1_000_000, seed=42)

    operation: Annotated[Literal["statistics"], _SELECTS]
    values: Annotated[
        Annotated[list[Value], Field(min_length=1, max_length=100_000), WrapValidator(_check_values)] | None,
        Field(description="The numbers, 1 to 100,000 of them, each from -1e150 to 1e150. Instead of `size`."),
    ] = None
    size: Annotated[
        Annotated[int, Field(strict=True, ge=1, le=10_000_000), Whole] | None,
        Field(description="Number of random numbers, 1 to 10,000,000. Instead of `values`.", validate_default=True),
    ] = None
    seed: Annotated[
        Seed, Field(description="Seed for `size`, 0 to 2^63 - 1: the same seed gives the same numbers. Default 0.")
    ] = 0

    @field_validator("size")
    @classmethod
    def _either_size_or_values(cls, size: int | None, info: ValidationInfo) -> int | None:
        if "values" in info.data and (size is None) == (info.data["values"] is None):
            raise ValueError("needs either size (with a seed) or values, not both")
        return size

    @field_validator("seed")
    @classmethod
    def _seed_goes_with_size(cls, seed: int, info: ValidationInfo) -> int:
        if seed and info.data.get("values") is not None:
            raise ValueError("has no effect on values; remove the seed, or send size instead of values")
        return seed


class Eigenvalues(NumberCrunchingPayload):
    """All eigenvalues, in ascending order, of a random symmetric matrix of `size` by `size` normal numbers."""

    model_config = _example("eigenvalues", size=100, seed=42)

    operation: Annotated[Literal["eigenvalues"], _SELECTS]
    size: Annotated[
        int, Field(strict=True, description="Rows and columns of the matrix, 1 to 2,000.", ge=1, le=2000), Whole
    ]
    seed: Seed = 0


_operation = Choice(
    "operation",
    lambda: {
        "fibonacci": Fibonacci,
        "prime_numbers": PrimeNumbers,
        "factorial": Factorial,
        "matrix_multiplication": MatrixMultiplication,
        "monte_carlo_pi": MonteCarloPi,
        "statistics": Statistics,
        "eigenvalues": Eigenvalues,
    },
)


@cache
def _program(operation: str) -> str:
    return files(crunch).joinpath(f"{operation}.py").read_text(encoding="utf-8")
