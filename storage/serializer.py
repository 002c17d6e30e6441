"""JSON for requests and answers, by orjson: fast, and a NaN becomes null instead of text that is no JSON."""

import orjson
from opensearchpy import JSONSerializer
from opensearchpy.exceptions import SerializationError


class OrjsonSerializer(JSONSerializer):
    """Takes dictionaries with numpy numbers and arrays; passes on bodies that are text or bytes already.

    NaN and both infinities become null: they have no form in JSON, and the cluster refuses the bare word.
    """

    def loads(self, s: str | bytes) -> object:
        """Read an answer.

        Raises
        ------
        opensearchpy.exceptions.SerializationError
            When it is not JSON.
        """
        try:
            return orjson.loads(s)
        except orjson.JSONDecodeError as error:
            msg = f"the answer is not JSON: {error}"
            raise SerializationError(msg) from error

    def dumps(self, data: object) -> str | bytes:
        """Write a body.

        Raises
        ------
        opensearchpy.exceptions.SerializationError
            When it holds something that JSON cannot, for example a set, or text with half a surrogate pair.
        """
        if isinstance(data, str | bytes):
            return data
        try:
            # text, not bytes: the library joins the lines of a bulk body as text
            return orjson.dumps(data, option=orjson.OPT_SERIALIZE_NUMPY).decode("utf-8")
        except orjson.JSONEncodeError as error:
            msg = f"cannot be written as JSON: {error}"
            raise SerializationError(msg) from error
