"""The site's own settings, for processes that judge models on the folder that FEW_IMAGES names."""

import os

from tests import few_images
from webapp.settings import *  # noqa: F403

few_images.use(os.environ["FEW_IMAGES"])
