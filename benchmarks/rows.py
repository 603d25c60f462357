"""Many uploads with their digits and predictions, made in bulk; nothing is read for them."""

import random
from datetime import timedelta

AT_ONCE = 5000
READINGS = ["42", *map(str, range(10))]  # now and then another one


def make_rows(count: int, seed: int = 1) -> tuple:
    """Make `count` uploads of an account, and a tenth of that of others.

    Returns:
        The account, and a member of the staff.
    """
    from django.contrib.auth import get_user_model

    from digits.models import ModelVersion

    accounts = get_user_model().objects
    account = accounts.create_user("ada")
    staff = accounts.create_superuser("root")
    first = ModelVersion.objects.get(number=1)
    ModelVersion.objects.create(number=2, architecture="cnn", parent=first)
    add_rows(account, 0, count, seed)
    return account, staff


def add_rows(account, begin: int, end: int, seed: int = 1):
    """Make the uploads of the account from one number to another, and those of others."""
    from digits.models import ModelVersion

    versions = list(ModelVersion.objects.order_by("number")[:2])
    chance = random.Random(seed + begin)
    first, last = begin + begin // 10, end + end // 10
    for start in range(first, last, AT_ONCE):
        numbers = range(start, min(start + AT_ONCE, last))
        mine = [account if number % 11 else None for number in numbers]
        _make(mine, versions, chance, numbers)


def _make(owners, versions, chance, numbers):
    from django.utils import timezone

    from digits.models import Digit, Prediction
    from digits.queue.statements import Insert

    now = timezone.now() - timedelta(minutes=1)  # however fast they are made, it has none now
    uploads = [
        _upload(owner, chance, versions, now - timedelta(days=120) * max(0, 1 - number / 110_000))
        for owner, number in zip(owners, numbers, strict=True)
    ]
    Insert(uploads).store()
    digits = [
        Digit(
            upload=upload, position=at, x=4 + 30 * at, y=4, width=20, height=20, pixels=bytes(784)
        )
        for upload in uploads
        for at in range(len(upload.reading))
    ]
    Insert(digits).store()
    predictions = [
        Prediction(
            digit=digit,
            version=digit.upload.version,
            value=int(digit.upload.reading[digit.position]),
            confidence=digit.upload.confidence,
            probabilities=[0.1] * 10,
        )
        for digit in digits
    ]
    Insert(predictions).store()


def _upload(owner, chance, versions, at):
    from digits.models import Upload

    status = chance.choices(["done", "failed"], [93, 7])[0]
    done = status == "done"
    reading = chance.choice(READINGS) if chance.random() < 0.9 else str(chance.randrange(10**6))
    verdict = chance.choices(["", "confirmed", "corrected"], [94, 2, 4])[0] if done else ""
    return Upload(
        user=owner,
        visitor="" if owner else f"{chance.randrange(500):032x}",
        name=f"image-{chance.randrange(10**6)}.png",
        source=chance.choices(["file", "api"], [9, 1])[0],
        file="uploads/image.png",
        preview="previews/image.webp" if done else "",
        width=64,
        height=28,
        status=status,
        reading=reading if done else "",
        confidence=1 - chance.random() ** 4 if done else None,
        version=chance.choices(versions, [9, 1])[0],
        verdict=verdict,
        corrected=str(chance.randrange(100)) if verdict == "corrected" else "",
        error="" if done else "The image is cut off.",
        created_at=at,
        started_at=at + timedelta(seconds=chance.random()),
        finished_at=at + timedelta(seconds=1 + chance.random()),
    )


def label_the_least_sure(count: int):
    """Label the digits that come first in the review queue, as people do one by one."""
    from django.utils import timezone

    from digits.models import Correction, Digit, Prediction

    least = Prediction.objects.order_by("confidence", "pk").values_list("pk", flat=True)
    keys = list(least[:count])
    for begin in range(0, count, AT_ONCE):
        some = Prediction.objects.filter(pk__in=keys[begin : begin + AT_ONCE])
        digits = Digit.objects.filter(pk__in=some.values("digit"))
        Correction.objects.bulk_create(
            Correction(digit=digit, label=7, trust="staff", is_current=True)
            for digit in digits.only("pk")
        )
        digits.update(label=7, labelled_at=timezone.now())
        some.update(to_review=False)
