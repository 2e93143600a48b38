"""Pictures to pictures: translators of photos, their training and their use.

>>> import facegan
>>> facegan.translate("my_translator", "me.jpg").images
"""
