"""The REST API under /api/v1/: the same rules as the site, for programs.

Where things go: a resource has a module in views/ (thin class views) and one in serializers/ (what
it looks like, in and out), and its addresses in urls.py. What every view gets by default:

- auth.py: a token or the browser session; `request.owner` is the sender, as on the site. The
  default permission wants one of the two; with `ForAll` all may look, and to change
  something one must be allowed what the view's `needs` names. A token has scopes besides: read to
  look, and to change the view's `scope`, which is write unless it says otherwise.
- errors.py: any exception becomes problem details; raise DRF's own, `Conflict` or `Unprocessable`.
- schema.py: the answers that any operation may give (401, 404, 429, ...) are added to the schema;
  a view names its own, with `problems(409)` for its own problems.
- throttles.py, pages.py: requests a minute, and cursor pages for the list views of DRF.
- queries.py: query parameters, checked by a serializer that the schema also shows.

Uploads made under an Idempotency-Key: see digits.accounts.idempotency, and views/uploads.py.
"""
