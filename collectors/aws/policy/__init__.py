"""What do policy documents say? Static reading of IAM's language, without any call.

``documents`` takes a policy apart, ``evaluate`` computes what an identity may do, ``escalation``
names the ways from there to more rights, ``trust`` says which outsiders a resource policy lets in.
"""
