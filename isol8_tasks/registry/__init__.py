"""A registry, asked over HTTP for what it knows of images; no layer is pulled.

client  the images that tags of a repository name, side by side over kept-alive connections
writing  images that differ by labels alone, and indexes of several platforms
connections  how it is reached: TLS, proxies, certificates
login   what a registry asks for before it answers: a token, or name and password
"""
