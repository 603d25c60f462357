"""The storage of static files. Their names change with their content, so browsers keep them."""

from whitenoise.storage import CompressedManifestStaticFilesStorage

IMPORT = r"""(?m)^(?P<matched>(?P<what>import\b[^"';]*)"(?P<url>\.[^"]*)")"""


class StaticStorage(CompressedManifestStaticFilesStorage):
    """Makes the scripts of Digits import each other under such names, too.

    So the name of a script changes with all that it imports, and releases are never mixed.
    Django's own `support_js_module_import_aggregation` would read the scripts of other programs,
    and take the types that their comments import for files.
    """

    patterns = (
        *CompressedManifestStaticFilesStorage.patterns,
        ("digits/*.js", ((IMPORT, '%(what)s"%(url)s"'),)),
    )
