"""The second factor: switched on, asked for at each sign-in, guessed in vain, lost and removed."""

import re
import time
from concurrent.futures import ThreadPoolExecutor
from io import StringIO

import pytest
from allauth.mfa.models import Authenticator
from axes.models import AccessAttempt
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client

from digits.accounts import second_factor, tokens
from digits.models import AuditEvent
from digits.models.audit import Act
from tests.api.clients import UPLOADS
from tests.codes import Telephone, code_at
from tests.factories import make_user

pytestmark = pytest.mark.django_db
PASSWORD = "a-long-password"
ON, OFF = "/account/second-factor/on/", "/account/second-factor/off/"
CODES, CODE = "/account/second-factor/codes/", "/accounts/login/code/"


@pytest.fixture(autouse=True)
def empty(redis):
    """Counters are kept in Redis, which is empty."""


@pytest.fixture
def ada():
    return User.objects.create_user("ada", password=PASSWORD)


def give_password(client, name="ada", to="/accounts/login/", **fields):
    return client.post(to, {"username": name, "password": PASSWORD, **fields})


def set_up(name="ada") -> tuple[Client, Telephone]:
    """Switch the second factor of an account on, as a person does; its browser and telephone."""
    client = Client()
    assert give_password(client, name).status_code == 302
    confirm = client.get(ON).url
    page = client.get(client.post(confirm, {"password": PASSWORD}).url).content.decode()
    telephone = Telephone(page)
    answer = client.post(ON, {"code": telephone.code(-30)})  # so that the next ones are new
    assert answer.url == CODES
    return client, telephone


def recovery_codes(client: Client) -> list[str]:
    page = client.get(CODES).content.decode()
    return [code.replace(" ", "") for code in re.findall(r"<code>(\d{4} \d{4})</code>", page)]


def is_signed_in(client: Client) -> bool:
    return client.get("/account/").status_code == 200


def acts(*wanted: Act) -> list[tuple[str, str, str]]:
    """Which of these acts were recorded, with who did them and about what."""
    events = AuditEvent.objects.filter(act__in=wanted).order_by("pk")
    return list(events.values_list("act", "name", "about"))


def test_codes_are_those_of_the_standard():
    """The last six digits of the values that RFC 6238 lists for SHA-1."""
    key = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"  # 12345678901234567890
    values = {59: "287082", 1111111109: "081804", 1234567890: "005924", 20000000000: "353130"}
    assert {seconds: code_at(key, seconds) for seconds in values} == values


def test_after_the_password_a_code_is_asked_for(ada):
    client, telephone = set_up()
    assert is_signed_in(client)
    other = Client()
    answer = give_password(other, next="/uploads/")
    assert answer.url == CODE
    assert not is_signed_in(other)
    assert "one-time-code" in other.get(CODE).content.decode()
    answer = other.post(CODE, {"code": telephone.code()})
    assert answer.url == "/uploads/"
    assert is_signed_in(other)
    assert "1 upload" not in other.get("/account/").content.decode()


def test_without_one_the_password_is_enough(client, ada):
    assert give_password(client).url == "/"
    assert client.get(CODE).url == "/"
    assert Client().get(CODE).url == "/accounts/login/"


def test_the_admin_asks_for_a_code_too(ada):
    User.objects.filter(pk=ada.pk).update(is_staff=True, is_superuser=True)
    _, telephone = set_up()
    other = Client()
    answer = give_password(other, to="/admin/login/?next=/admin/digits/upload/")
    assert answer.url == CODE
    assert "/admin/login/" in other.get("/admin/").url
    answer = other.post(CODE, {"code": telephone.code()})
    assert answer.url == "/admin/digits/upload/"
    assert other.get("/admin/").status_code == 200


def test_whoever_is_signed_in_as_another_is_asked_too(ada):
    _, telephone = set_up()
    ben = Client()
    ben.force_login(User.objects.create_user("ben"))
    assert give_password(ben).url == CODE
    assert not is_signed_in(ben)
    ben.post(CODE, {"code": telephone.code()})
    assert "Signed in as</dt><dd>ada" in ben.get("/account/").content.decode()


def test_no_way_in_is_left_open(ada):
    """Neither another session nor another address goes on from the password alone."""
    set_up()
    client = Client()
    give_password(client)
    for path in ("/account/", ON, OFF, CODES, "/account/tokens/", "/admin/", "/account/confirm/"):
        assert "/login/" in client.get(path).url, path
    assert client.get("/api/v1/uploads/").json() == {"next": None, "previous": None, "results": []}
    assert give_password(client, to="/accounts/login/").url == CODE


@pytest.mark.parametrize("later", [-90, 90, 3600])
def test_the_code_of_another_time_is_refused(ada, later):
    _, telephone = set_up()
    client = Client()
    give_password(client)
    assert client.post(CODE, {"code": telephone.code(later)}).status_code == 400
    assert not is_signed_in(client)


def test_a_code_counts_once(ada):
    _, telephone = set_up()
    code = telephone.code()
    first, second = Client(), Client()
    for client in (first, second):
        give_password(client)
    assert first.post(CODE, {"code": code}).status_code == 302
    answer = second.post(CODE, {"code": code})
    assert answer.status_code == 400
    assert "or it was used before" in answer.content.decode()
    assert not is_signed_in(second)


def test_a_code_counts_once_in_whichever_process_it_comes(ada):
    """What allauth remembers of used codes is the memory of one process: here it is empty."""
    from django.core.cache import cache

    _, telephone = set_up()
    code = telephone.code()
    for status in (302, 400):
        cache.clear()
        client = Client()
        give_password(client)
        assert client.post(CODE, {"code": code}).status_code == status


def test_the_code_before_the_last_one_is_refused(ada):
    """Somebody saw it typed: it fits for half a minute more."""
    _, telephone = set_up()
    client, other = Client(), Client()
    give_password(client)
    give_password(other)
    assert client.post(CODE, {"code": telephone.code(30)}).status_code == 302
    assert other.post(CODE, {"code": telephone.code()}).status_code == 400


def test_the_code_that_switched_it_on_signs_nobody_in(ada):
    client = Client()
    give_password(client)
    page = client.get(client.post(client.get(ON).url, {"password": PASSWORD}).url)
    code = Telephone(page.content.decode()).code()
    client.post(ON, {"code": code})
    other = Client()
    give_password(other)
    assert other.post(CODE, {"code": code}).status_code == 400


@pytest.mark.django_db(transaction=True)
def test_of_many_at_the_same_time_one_gets_in(ada):
    _, telephone = set_up()
    clients = [Client() for _ in range(6)]
    for client in clients:
        give_password(client)
    code = telephone.code()

    def send(client):
        try:
            return client.post(CODE, {"code": code}).status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(6) as pool:
        assert sorted(pool.map(send, clients)) == [302] + [400] * 5


def test_wrong_codes_lock_out_as_wrong_passwords_do(ada, settings):
    settings.WRONG_CODE_RATE = (1000, 3600)
    _, telephone = set_up()
    client = Client(REMOTE_ADDR="192.0.2.1")
    give_password(client)
    statuses = [client.post(CODE, {"code": "000000"}).status_code for _ in range(10)]
    assert statuses == [400] * 9 + [429]
    assert client.post(CODE, {"code": telephone.code()}).status_code == 429
    assert give_password(client).status_code == 429
    assert not is_signed_in(client)
    assert acts(Act.LOCKED_OUT) == [(Act.LOCKED_OUT, "ada", "")]
    assert AuditEvent.objects.filter(act=Act.SIGN_IN_FAILED, detail="a wrong code").count() == 9
    elsewhere = Client(REMOTE_ADDR="198.51.100.1")
    give_password(elsewhere)
    assert elsewhere.post(CODE, {"code": telephone.code()}).status_code == 302


def test_wrong_codes_count_for_an_address_with_all_wrong_passwords(ada, settings):
    settings.WRONG_PASSWORD_RATE = (3, 3600)
    _, telephone = set_up()
    client = Client()
    give_password(client)
    statuses = [client.post(CODE, {"code": "000000"}).status_code for _ in range(3)]
    assert statuses == [400] * 3
    assert client.post(CODE, {"code": telephone.code()}).status_code == 429


def test_a_password_alone_gives_no_new_tries(ada):
    """Giving the password again does not reset what was counted, nor does another session."""
    set_up()
    for number in range(10):
        client = Client(REMOTE_ADDR="192.0.2.1")
        assert give_password(client).url == CODE, number
        client.post(CODE, {"code": "000000"})
    assert give_password(Client(REMOTE_ADDR="192.0.2.1")).status_code == 429


def test_codes_are_not_guessed_from_many_addresses(ada, settings):
    _, telephone = set_up()
    most = settings.WRONG_CODE_RATE[0]
    for number in range(most):
        client = Client(REMOTE_ADDR=f"192.0.{number}.1")
        give_password(client)
        assert client.post(CODE, {"code": "000000"}).status_code == 400
    client = Client(REMOTE_ADDR="198.51.100.1")
    give_password(client)
    answer = client.post(CODE, {"code": telephone.code()})
    assert answer.status_code == 400
    assert "Try again in" in answer.content.decode()
    assert not is_signed_in(client)


def test_right_codes_are_not_counted(ada, settings):
    settings.WRONG_CODE_RATE = (1, 3600)
    _, telephone = set_up()
    for later in (0, 30):
        client = Client()
        give_password(client)
        assert client.post(CODE, {"code": telephone.code(later)}).status_code == 302


def test_a_recovery_code_signs_in_once(ada):
    client, _ = set_up()
    codes = recovery_codes(client)
    assert len(set(codes)) == 10
    for status in (302, 400):
        other = Client()
        give_password(other)
        assert other.post(CODE, {"code": codes[3]}).status_code == status
    assert "9 left" in client.get("/account/second-factor/").content.decode()
    assert codes[3] not in recovery_codes(client)
    used = acts(Act.RECOVERY_CODE_USED)
    assert used == [(Act.RECOVERY_CODE_USED, "ada", f"account {ada.pk} ada")]


def test_new_recovery_codes_end_the_old_ones(ada):
    client, _ = set_up()
    old = recovery_codes(client)
    answer = client.post("/account/second-factor/codes/new/")
    assert answer.url == CODES
    new = recovery_codes(client)
    assert not set(old) & set(new)
    for code, status in ((old[0], 400), (new[0], 302)):
        other = Client()
        give_password(other)
        assert other.post(CODE, {"code": code}).status_code == status


def test_its_page_leads_to_signing_out_elsewhere(ada):
    before = Client()
    give_password(before)
    client, _ = set_up()
    page = client.get("/account/second-factor/").content.decode()
    assert 'href="/account/#sign-ins-title"' in page
    assert is_signed_in(before)
    client.post("/account/sign-out", {"password": PASSWORD})
    assert is_signed_in(client)
    assert not is_signed_in(before)


def test_a_new_password_leaves_it_on(ada):
    set_up()
    admin = Client()
    admin.force_login(User.objects.create_superuser("root"))
    fields = {"usable_password": "true", "password1": "another-one!", "password2": "another-one!"}
    assert admin.post(f"/admin/auth/user/{ada.pk}/password/", fields).status_code == 302
    client = Client()
    answer = client.post("/accounts/login/", {"username": "ada", "password": "another-one!"})
    assert answer.url == CODE


def test_what_is_kept_of_wrong_tries_has_no_code(ada):
    set_up()
    client = Client()
    give_password(client)
    client.post(CODE, {"code": "1234 5670"})
    (attempt,) = AccessAttempt.objects.all()
    assert "code" in attempt.post_data
    assert "1234" not in attempt.post_data


def test_switching_it_on_and_off_asks_who_it_is(ada, monkeypatch):
    client, telephone = set_up()
    monkeypatch.setattr(time, "time", lambda now=time.time: now() + 1000)
    for path in (OFF, CODES, "/account/second-factor/codes/new/"):
        answer = client.get(path)
        assert answer.url.startswith("/account/confirm/code/"), path
    answer = client.post(OFF)
    assert answer.url.startswith("/account/confirm/code/")
    assert client.post(answer.url, {"code": "000000"}).status_code == 400
    assert second_factor.is_on(ada)
    assert client.get("/account/confirm/?next=/x").url.startswith("/account/confirm/code/")
    answer = client.post(answer.url, {"code": telephone.code()})
    assert answer.url == "/account/second-factor/"
    assert not second_factor.is_on(ada)
    assert give_password(Client()).url == "/"


def test_whoever_confirms_by_guessing_is_stopped(ada, monkeypatch, settings):
    settings.WRONG_CODE_RATE = (1000, 3600)
    client, _ = set_up()
    monkeypatch.setattr(time, "time", lambda now=time.time: now() + 1000)
    url = client.get(OFF).url
    statuses = [client.post(url, {"code": "000000"}).status_code for _ in range(10)]
    assert statuses == [400] * 9 + [429]


def test_the_password_is_asked_for_before_it_is_switched_on(ada):
    client = Client()
    give_password(client)
    confirm = client.get(ON).url
    assert confirm.startswith("/account/confirm/")
    answer = client.post(confirm, {"password": "wrong"})
    assert answer.status_code == 400
    assert "password" in answer.content.decode()
    assert client.get(ON).url == confirm
    assert client.post(ON, {"code": "123456"}).url.startswith("/account/confirm/")
    assert Authenticator.objects.count() == 0


def test_a_wrong_first_code_switches_nothing_on(ada):
    client = Client()
    give_password(client)
    client.post(client.get(ON).url, {"password": PASSWORD})
    first = Telephone(client.get(ON).content.decode())
    answer = client.post(ON, {"code": "000000"})
    assert answer.status_code == 400
    assert Telephone(answer.content.decode()).key == first.key
    assert Authenticator.objects.count() == 0


def test_whoever_presses_the_button_twice_does_not_switch_it_off(ada):
    client, telephone = set_up()
    assert client.post(ON, {"code": telephone.code()}).url == "/account/second-factor/"
    assert second_factor.is_on(ada)


def test_all_of_it_is_in_the_audit_trail(ada):
    client, _ = set_up()
    client.post("/account/second-factor/codes/new/")
    client.post(OFF)
    about = ("ada", f"account {ada.pk} ada")
    wanted = (Act.SECOND_FACTOR_ON, Act.RECOVERY_CODES_MADE, Act.SECOND_FACTOR_OFF)
    assert acts(*wanted) == [
        (Act.SECOND_FACTOR_ON, *about),
        (Act.RECOVERY_CODES_MADE, *about),
        (Act.RECOVERY_CODES_MADE, *about),
        (Act.SECOND_FACTOR_OFF, *about),
    ]


def test_a_sign_in_with_a_code_is_listed_and_recorded_as_such(ada):
    _, telephone = set_up()
    client = Client(REMOTE_ADDR="192.0.2.77")
    give_password(client)
    assert AuditEvent.objects.filter(act=Act.SIGNED_IN, address="192.0.2.77").count() == 0
    client.post(CODE, {"code": telephone.code()})
    event = AuditEvent.objects.get(act=Act.SIGNED_IN, address="192.0.2.77")
    assert (event.name, event.detail) == ("ada", "with a code")
    assert "from 192.0.2.0/24" in client.get("/account/").content.decode()


def test_tokens_go_on_to_work(ada):
    _, secret = tokens.make(ada, "a program")
    set_up()
    answer = Client().get(UPLOADS, headers={"Authorization": f"Bearer {secret}"})
    assert answer.status_code == 200


def test_a_command_removes_a_lost_one(ada):
    set_up()
    output = StringIO()
    call_command("remove_second_factor", "ada", stdout=output)
    assert output.getvalue() == "The second factor of ada is removed.\n"
    assert Authenticator.objects.count() == 0
    assert give_password(Client()).url == "/"
    (event,) = acts(Act.SECOND_FACTOR_OFF)
    assert event[2] == f"account {ada.pk} ada"
    for name, reason in (("ada", "ada has none"), ("eve", "the name of an account")):
        with pytest.raises(CommandError, match=reason):
            call_command("remove_second_factor", name)


def test_an_operator_removes_it_in_the_admin_but_of_nobody_with_more_rights(ada):
    root = User.objects.create_superuser("root", password=PASSWORD)
    for name in ("ada", "root"):
        set_up(name)
    operator = Client()
    operator.force_login(make_user("op", "operator"))
    fields = {"action": "remove_second_factors", "_selected_action": [ada.pk, root.pk]}
    page = operator.post("/admin/auth/user/", fields, follow=True).content.decode()
    assert "The second factor of ada is removed." in page
    assert "Root has more rights than you may give." in page
    assert not second_factor.is_on(ada)
    assert second_factor.is_on(root)
    (event,) = acts(Act.SECOND_FACTOR_OFF)
    assert event == (Act.SECOND_FACTOR_OFF, "op", f"account {ada.pk} ada")


def test_the_admin_has_no_page_with_secrets(client):
    client.force_login(User.objects.create_superuser("root"))
    page = client.get("/admin/").content.decode()
    assert "/admin/auth/user/" in page
    for app in ("mfa", "account", "socialaccount"):
        assert f"/admin/{app}/" not in page
        assert client.get(f"/admin/{app}/").status_code == 404


def test_switched_off_for_the_site_nobody_sees_it_or_is_asked(ada, settings):
    client, _ = set_up()
    settings.SECOND_FACTOR = "off"
    assert give_password(Client()).url == "/"
    assert "econd factor" not in client.get("/account/").content.decode()
    for path in ("/account/second-factor/", ON, OFF, CODES, "/account/confirm/code/"):
        assert client.get(path).status_code == 404, path
    settings.SECOND_FACTOR = "optional"
    assert give_password(Client()).url == CODE


# SECOND_FACTOR=staff


@pytest.fixture
def for_staff(settings):
    settings.SECOND_FACTOR = "staff"


def test_staff_must_have_one_before_it_acts(for_staff):
    make_user("ada", "operator", password=PASSWORD)
    client = Client()
    give_password(client)
    for path in ("/", "/dashboard/", "/admin/", "/account/tokens/", "/account/"):
        assert client.get(path).url.startswith("/account/second-factor/?next="), path
    assert client.post("/account/tokens/", {"name": "x", "scopes": "read"}).status_code == 302
    answer = client.get(UPLOADS)
    assert (answer.status_code, answer.json()["detail"]) == (
        403,
        "Staff needs a second factor here. You may not do this, or need to sign in first.",
    )
    answer = client.get("/dashboard/", headers={"HX-Request": "true"})
    assert answer["HX-Redirect"] == "/account/second-factor/"
    assert "Staff of this site needs" in client.get("/account/second-factor/").content.decode()
    assert client.get("/health/live").status_code == 200
    assert client.post("/accounts/logout/").status_code == 302


def test_staff_that_has_one_acts_and_keeps_it(for_staff):
    make_user("ada", "operator", password=PASSWORD)
    client, telephone = set_up()
    assert client.get("/dashboard/").status_code == 200
    other = Client()
    give_password(other)
    other.post(CODE, {"code": telephone.code()})
    assert other.get("/dashboard/").status_code == 200
    assert other.get(UPLOADS).status_code == 200
    answer = client.post(OFF)
    assert answer.status_code == 400
    assert "Staff needs a second factor here." in answer.content.decode()
    assert "Switch it off" not in client.get("/account/second-factor/").content.decode()


def test_a_session_from_before_is_asked_for_the_code(for_staff):
    make_user("ada", "operator", password=PASSWORD)
    before = Client()
    give_password(before)
    _, telephone = set_up()
    answer = before.get("/dashboard/")
    assert answer.url == "/account/confirm/code/?next=/dashboard/"
    assert before.post(answer.url, {"code": telephone.code()}).url == "/dashboard/"
    assert before.get("/dashboard/").status_code == 200


def test_staff_whose_one_was_removed_sets_up_another(for_staff):
    user = make_user("ada", "operator", password=PASSWORD)
    client, _ = set_up()
    second_factor.remove(user)
    assert client.get("/dashboard/").url.startswith("/account/second-factor/")


def test_who_is_not_staff_needs_none(for_staff, ada):
    client = Client()
    assert give_password(client).url == "/"
    assert client.get("/").status_code == 200
    _, secret = tokens.make(make_user("op", "operator"), "a program")
    headers = {"Authorization": f"Bearer {secret}"}
    assert client.get(UPLOADS, headers=headers).status_code == 200
    assert Client().get(UPLOADS, headers=headers).status_code == 200
